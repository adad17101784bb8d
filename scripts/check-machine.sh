#!/usr/bin/env bash
# Says in one sentence what this machine lacks for running the kernel programs. Prints nothing when all is there.
set -u
missing() { printf 'meshaccel: %s\n' "$*" >&2; exit 1; }
[ "$(uname -s)" = Linux ] || missing "needs Linux"
[ "$(id -u)" = 0 ] || missing "must run as root: it loads programs into the kernel and makes network namespaces (try: sudo -E make demo)"
[ -r /sys/kernel/btf/vmlinux ] || missing "this kernel has no type information (/sys/kernel/btf/vmlinux): one built with CONFIG_DEBUG_INFO_BTF is needed"
found=
for root in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ "$(stat -f -c %T "$root" 2>/dev/null)" = cgroup2fs ] && found=$root
done
[ -n "$found" ] || missing "no cgroup v2 hierarchy is mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified (try: mount -t cgroup2 none /sys/fs/cgroup/unified)"
