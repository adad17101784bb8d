#!/usr/bin/env bash
# Makes the container images of a cluster from what is built and installed here: target/images/*.tar. Nothing is pulled.
#
#   pause      the first container of every pod
#   node       localhost/meshaccel/node:dev       target/release/meshaccel-node
#   operator   localhost/meshaccel/operator:dev   target/release/meshaccel-operator
#   mesh       localhost/meshaccel/mesh:dev       Envoy, iptables, nginx, busybox, target/release/meshaccel-mesh
#
#   scripts/images.sh [NAME]...      nothing: all that are built
set -euo pipefail

CACHE=${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}
RELEASE=${CARGO_TARGET_DIR:-target}/release
OUT=target/images

die() { printf 'images: %s\n' "$*" >&2; exit 1; }

# image NAME ARGUMENT...
image() {
    local name=$1; shift
    scripts/image.py --name "localhost/meshaccel/$name:dev" --output "$OUT/$name.tar" "$@"
}

built() { [ -x "$RELEASE/$1" ] || die "$RELEASE/$1 is not built: make build"; }

pause() {
    cc -Os -static -s -o "$work/pause" cluster/pause/pause.c || die "pause did not compile"
    image pause --entrypoint /pause --user 65535:65535 "$work/pause:/pause"
}

node() {
    built meshaccel-node
    image node --entrypoint /meshaccel-node "$RELEASE/meshaccel-node:/meshaccel-node"
}

operator() {
    built meshaccel-operator
    image operator --entrypoint /meshaccel-operator --user 65532:65532 "$RELEASE/meshaccel-operator:/meshaccel-operator"
}

# A container's own /etc/passwd: nginx, for one, wants its user to have a name.
users() {
    printf '%s\n' root:x:0:0::/:/bin/sh app:x:1000:1000::/tmp:/bin/sh istio-proxy:x:1337:1337::/tmp:/bin/sh \
        linkerd-proxy:x:2102:2102::/tmp:/bin/sh nobody:x:65534:65534::/:/bin/sh >"$work/passwd"
    printf '%s\n' root:x:0: app:x:1000: istio-proxy:x:1337: linkerd-proxy:x:2102: nogroup:x:65534: >"$work/group"
}

mesh() {
    local multi name files=()
    built meshaccel-mesh
    users
    # nft or legacy, whichever this machine uses: the pods' rules are in the same kernel.
    multi=$(readlink -f "$(command -v iptables-restore)") || die "iptables is missing: scripts/setup.sh mesh"
    files+=("$multi:$multi")
    for name in {iptables,ip6tables}{,-nft,-legacy}{,-save,-restore}; do
        ln -s "$multi" "$work/$name"; files+=("$work/$name:/usr/sbin/$name")
    done
    files+=("$(xtables_modules):$(xtables_modules)")
    if [ -x "$CACHE/busybox/bin/busybox" ]; then
        files+=("$CACHE/busybox/bin/busybox:/bin/busybox")
        for name in sh cat ls ps ip wget nc netstat sleep; do
            ln -s busybox "$work/$name"; files+=("$work/$name:/bin/$name")
        done
    fi
    "$RELEASE/meshaccel-mesh" files "$work/files"
    image mesh --folder /tmp:1777 --folder /run:755 --env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin \
        "$work/passwd:/etc/passwd" "$work/group:/etc/group" "$work/files:/srv/mesh" \
        "$(readlink -f "$CACHE/envoy/envoy"):/usr/local/bin/envoy" \
        "$(readlink -f "$CACHE/linkerd-init/proxy-init"):/usr/local/bin/proxy-init" \
        "$RELEASE/meshaccel-mesh:/usr/local/bin/meshaccel-mesh" "$(command -v nginx):/usr/sbin/nginx" "${files[@]}"
}

# The folder of iptables' matches and targets, which it loads by name.
xtables_modules() {
    local folder
    for folder in /usr/lib/*/xtables /usr/lib/xtables /usr/lib64/xtables; do
        [ ! -d "$folder" ] || { echo "$folder"; return; }
    done
    die "iptables' modules (.../xtables) are not found"
}

cd "$(dirname "$0")/.."
mkdir -p "$OUT"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
if [ $# -eq 0 ]; then
    set -- pause node mesh
    [ ! -x "$RELEASE/meshaccel-operator" ] || set -- "$@" operator
fi
for name in "$@"; do
    case $name in
        pause | node | operator | mesh) "$name" ;;
        *) die "unknown image '$name': pause, node, operator, mesh or nothing" ;;
    esac
done
