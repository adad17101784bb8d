#!/usr/bin/env bash
# Makes the container images of a cluster from what is built and installed here: target/images/*.tar. Nothing is pulled.
#
#   pause      the first container of every pod
#   node       localhost/meshaccel/node:dev       target/release/meshaccel-node
#   operator   localhost/meshaccel/operator:dev   target/release/meshaccel-operator
#   mesh       localhost/meshaccel/mesh:dev       Envoy, iptables, nginx, busybox, target/release/meshaccel-mesh
#
# And those that Istio wants (scripts/cluster-build.sh coredns istio), under the names that its charts give them:
#
#   coredns    localhost/meshaccel/coredns:dev    names of Services
#   pilot      localhost/meshaccel/pilot:dev      istiod
#   proxyv2    localhost/meshaccel/proxyv2:dev    what is injected: Istio's agent, the Envoy that all else here uses, iptables
#   echo       localhost/meshaccel/echo:dev       Istio's own server and client for tests
#
#   scripts/images.sh [NAME]...      nothing: all of the first that are built
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

# What iptables is made of, in `files`.
iptables_files() {
    local multi name
    # nft or legacy, whichever this machine uses: the pods' rules are in the same kernel.
    multi=$(readlink -f "$(command -v iptables-restore)") || die "iptables is missing: scripts/setup.sh mesh"
    files=("$multi:$multi" "$(xtables_modules):$(xtables_modules)")
    for name in {iptables,ip6tables}{,-nft,-legacy}{,-save,-restore}; do
        ln -sf "$multi" "$work/$name"; files+=("$work/$name:/usr/sbin/$name")
    done
}

mesh() {
    local name files
    built meshaccel-mesh
    users
    iptables_files
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

# part MODULE FILE: what scripts/cluster-build.sh made.
part() { realpath -e "$CACHE/cluster-$1/$2" || die "$2 is not built: scripts/cluster-build.sh $1"; }

coredns() {
    image coredns --entrypoint /coredns --user 65532:65532 "$(part coredns coredns):/coredns"
}

# Its chart runs it as whatever user the image names, and wants that not to be root.
pilot() {
    image pilot --entrypoint /usr/local/bin/pilot-discovery --user 1337:1337 --folder /tmp:1777 \
        "$(part istio pilot-discovery):/usr/local/bin/pilot-discovery"
}

proxyv2() {
    local files
    users
    iptables_files
    image proxyv2 --entrypoint /usr/local/bin/pilot-agent --folder /tmp:1777 --folder /run:755 \
        --env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin "$work/passwd:/etc/passwd" "$work/group:/etc/group" \
        "$(part istio pilot-agent):/usr/local/bin/pilot-agent" \
        "$(readlink -f "$CACHE/envoy/envoy"):/usr/local/bin/envoy" \
        "$(part istio bootstrap.json):/var/lib/istio/envoy/envoy_bootstrap_tmpl.json" "${files[@]}"
}

echo_programs() {
    image echo --entrypoint /usr/local/bin/echo-server --user 1000:1000 --folder /tmp:1777 \
        "$(part istio echo-server):/usr/local/bin/echo-server" "$(part istio echo-client):/usr/local/bin/echo-client"
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
        pause | node | operator | mesh | coredns | pilot | proxyv2) "$name" ;;
        echo) echo_programs ;;
        *) die "unknown image '$name': pause, node, operator, mesh, coredns, pilot, proxyv2, echo or nothing" ;;
    esac
done
