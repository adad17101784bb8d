# The namespaces and control groups of a cluster: made, entered, and ended with everything inside.

# The hierarchy of control groups v2: alone on most machines, beside v1 on hybrid ones.
unified() {
    local root
    for root in "$CGROUPS" "$CGROUPS/unified"; do
        if [ "$(stat -f -c %T "$root" 2>/dev/null)" = cgroup2fs ]; then echo "$root"; return; fi
    done
    die "no hierarchy of control groups v2 is mounted at $CGROUPS or $CGROUPS/unified"
}

# All hierarchies in which the kubelet makes groups.
hierarchies() {
    if [ -e "$CGROUPS/cgroup.controllers" ]; then echo "$CGROUPS"; return; fi
    find "$CGROUPS" -mindepth 1 -maxdepth 1 -type d
}

# The group of the cluster's own processes. Pods have groups beside it, below kubepods.
own_group() { echo "$(unified)/$CGROUP/node"; }

# The argument of nsenter that leads to the cluster's mounts.
mount_of_node() { echo "--mount=/proc/$(pid_of holder)/ns/mnt"; }

make_namespaces() {
    local root
    hand_down_controllers
    for root in $(hierarchies); do mkdir -p "$root/$CGROUP"; done
    mkdir -p "$(own_group)"
    ip netns add "$NETNS"
    ip -n "$NETNS" link set lo up
    # A bridge without ports: an interface that every kernel has, for the node's address. The default route leads
    # nowhere; kubelet and pods want one.
    ip -n "$NETNS" link add node0 type bridge
    ip -n "$NETNS" address add "$NODE_ADDRESS/24" dev node0
    ip -n "$NETNS" link set node0 up
    ip -n "$NETNS" route add default via "${NODE_ADDRESS%.*}.254" dev node0 onlink
    # It holds the mounts; the others are started into them.
    part holder --outside nsenter --net="$NETNS_FILE" unshare --mount --propagation slave \
        env MESHACCEL_CLUSTERS="$CLUSTERS" MESHACCEL_CACHE="$CACHE" "$HERE/cluster.sh" --name "$NAME" furnish
    await 10 "the cluster's mounts" test -e "$WORK/furnished" || die "the cluster's mounts could not be made"
}

# On machines with v2 alone: a group has only the controllers that its parent hands down, and the kubelet wants them.
hand_down_controllers() {
    local controller
    [ -e "$CGROUPS/cgroup.controllers" ] || return 0
    for controller in $(cat "$CGROUPS/cgroup.controllers"); do
        echo "+$controller" >"$CGROUPS/cgroup.subtree_control" 2>/dev/null || true
    done
}

# Runs inside the namespaces: gives the node the file systems that a machine of its own would have.
furnish() {
    mount --make-rshared /
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/netns /run/lock /run/node/{sys,sysctl,upper,overlay,work}
    mount --bind "$WORK" /run/node/work
    # /var/lib as it is, but what is made in it is seen here only: mount points, without making them on the machine.
    mount -t overlay -o lowerdir=/var/lib,upperdir=/run/node/upper,workdir=/run/node/overlay overlay /var/lib
    mkdir -p "$WORK" /var/lib/{kubelet,cni} "/run/node/work/node"/{kubelet,cni,log}
    mount --bind /run/node/work "$WORK"
    mount --bind /run/node/work/node/kubelet /var/lib/kubelet
    mount --bind /run/node/work/node/cni /var/lib/cni
    mount --bind /run/node/work/node/log /var/log
    furnish_sysctls
    # /sys/class/net of this network namespace, control groups as they are, pinned BPF objects of its own: a daemon of
    # this node meets nobody else's.
    mount -t sysfs sysfs /run/node/sys
    mount --rbind /sys/fs/cgroup /run/node/sys/fs/cgroup
    mount -t bpf -o mode=700 bpf /run/node/sys/fs/bpf
    mount --rbind /run/node/sys /sys
    echo 1 >/proc/sys/net/ipv4/ip_forward
    touch "$WORK/furnished"
    exec sleep infinity
}

# The kubelet sets these for the whole machine and refuses to run when it cannot. It is shown files that hold what it
# wants instead, so the machine keeps its own values, also when nobody comes to restore them.
furnish_sysctls() {
    local setting file
    for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
        kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
        file=/run/node/sysctl/$(tr / . <<<"${setting%=*}")
        echo "${setting#*=}" >"$file"
        mount --bind "$file" "/proc/sys/${setting%=*}"
    done
}

# Ends every process, pods' too, and takes away groups and namespaces. Nothing of it needs the state folder.
end_namespaces() {
    local group
    group=$(unified)/$CGROUP
    # All at once, so that nobody restarts what has ended.
    [ ! -e "$group/cgroup.kill" ] || echo 1 >"$group/cgroup.kill"
    await 20 "the cluster's processes end" no_process || return 1
    [ ! -e "$NETNS_FILE" ] || ip netns del "$NETNS"
    await 10 "the cluster's control groups go" remove_groups || return 1
}

# A group may be busy for a moment after its last process has ended.
remove_groups() {
    local group
    for group in $(groups); do find "$group" -depth -type d -exec rmdir {} \; || true; done
    [ -z "$(groups)" ]
}

groups() {
    local root
    for root in $(hierarchies); do [ ! -d "$root/$CGROUP" ] || echo "$root/$CGROUP"; done
}

# True when none is left in any of the groups; kills what it finds, for kernels without cgroup.kill and for v1.
no_process() {
    local group pids
    pids=$(for group in $(groups); do find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true; done | sort -u)
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null || true
    return 1
}
