#!/usr/bin/env bash
# Builds Kubernetes and what runs its containers from their Go modules, once: cluster/kube (one binary for etcd, the
# control plane, kubelet, kube-proxy and kubectl) and cluster/runtime (containerd and CNI plugins). Ten minutes on two
# processors when nothing is cached, about 5 GB of Go's caches, 3.5 GB of memory at the end. A mesh is built when it is
# asked for: cluster/istio (istiod, istioctl, the sidecars' agent, echo programs) and cluster/coredns, which Istio's
# names need; eight minutes more.
#
#   scripts/cluster-build.sh [kube|runtime|coredns|istio]...      nothing: kube and runtime
#
# What is built lies in ${MESHACCEL_CACHE:-~/.cache/meshaccel}/cluster-<module>-<hash>, where the hash is of everything
# that goes in: the module's files, the compiler's version and the flags. The link cluster-<module> points to the current
# one. All of it can be deleted at any time.
set -euo pipefail

CACHE=${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}
KUBE_PROGRAMS="etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl forward"
# Istio's own build has the same: what is not in the agent stays out of its binary.
ISTIO_TAGS=vtprotobuf,disable_pgv
AGENT_TAGS=agent,disable_pgv,grpcnotrace,retrynotrace
# Static binaries, which run in any container too; the same bytes wherever they are built.
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false -trimpath"

say() { printf '  %s\n' "$*" >&2; }
die() { printf 'cluster-build: %s\n' "$*" >&2; exit 1; }

# A Go that can build a module: the one that its go.mod asks for, which newer ones than 1.20 fetch by themselves.
compiler_for() {
    command -v go >/dev/null || die "needs Go: install golang-go, or go.dev/dl"
    (cd "$1" && go env GOVERSION) 2>/dev/null || die "$(go version) cannot build $1: install $(sed -n 's/^go /Go /p' "$1/go.mod") or newer"
}

# Where the build of a module lies.
root_of() {
    local module=$1 version hash extra=$KUBE_PROGRAMS
    version=$(compiler_for "$module")
    [ "$(basename "$module")" != istio ] || extra="$ISTIO_TAGS $AGENT_TAGS"
    hash=$({ printf '%s %s %s\n' "$version" "$GOFLAGS" "$extra"; cat "$module"/go.mod "$module"/go.sum "$module"/*.go 2>/dev/null || true; } \
        | sha256sum | cut -c 1-16)
    printf '%s/cluster-%s-%s\n' "$CACHE" "$(basename "$module")" "$hash"
}

# go build, with a line a minute: `say` what and how long it may take before.
compile() {
    local count=0 next=60 line last=()
    SECONDS=0
    go build -v "$@" 2>&1 | {
        while read -r line; do
            count=$((count + 1)); last+=("$line")
            [ ${#last[@]} -le 20 ] || last=("${last[@]:1}")
            if [ $SECONDS -ge $next ]; then
                say "... $((SECONDS / 60)) min, $count packages compiled, now $line"; next=$((SECONDS + 60))
            fi
        done
        printf '%s\n' "${last[@]}" >"$log"
    } || { cat "$log" >&2; return 1; }
}

kube() {
    local module=cluster/kube version minor stamp=k8s.io/component-base/version flags part=$1 program
    version=$(sed -n 's,^\tk8s.io/kubernetes v,,p' $module/go.mod)
    say "building Kubernetes $version (about 10 minutes on two processors, once)"
    minor=${version#*.}; minor=${minor%%.*}
    flags="-s -w -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor -X $stamp.gitTreeState=archive"
    # Kubernetes wants a date in its version; a real one would make every build differ.
    flags+=" -X $stamp.gitCommit=v$version -X $stamp.buildDate=1970-01-01T00:00:00Z"
    (cd $module && compile -ldflags "$flags" -o "$part/kube" .) || return 1
    for program in $KUBE_PROGRAMS; do ln -s kube "$part/$program"; done
}

runtime() {
    local module=cluster/runtime version part=$1
    version=$(sed -n 's,^\tgithub.com/containerd/containerd/v2 v\([^ ]*\).*,\1,p' $module/go.mod)
    say "building containerd $version and CNI plugins (about 2 minutes on two processors, once)"
    (cd $module && compile -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=v$version" -o "$part/" tool)
}

coredns() {
    local module=cluster/coredns part=$1
    say "building CoreDNS (about 2 minutes on two processors, once)"
    (cd $module && compile -ldflags "-s -w" -o "$part/coredns" .)
}

istio() {
    local module=cluster/istio part=$1 path=istio.io/istio source version flags
    source=$(cd $module && go mod download "$path" && go list -m -f '{{.Dir}}' "$path") || return 1
    # What is not a release is named by its commit, as a step before the release that its source speaks of.
    version=$(cat "$source/VERSION").0-$(cd $module && go list -m -f '{{.Version}}' "$path" | sed 's/.*-//')
    say "building Istio $version (about 6 minutes on two processors, once)"
    flags="-s -w -X $path/pkg/version.buildVersion=$version -X $path/pkg/version.buildStatus=Clean"
    cd $module
    compile -tags "$ISTIO_TAGS" -ldflags "$flags" -o "$part/pilot-discovery" "$path/pilot/cmd/pilot-discovery" || return 1
    compile -tags "$ISTIO_TAGS" -ldflags "$flags" -o "$part/istioctl" "$path/istioctl/cmd/istioctl" || return 1
    compile -tags "$AGENT_TAGS" -ldflags "$flags" -o "$part/pilot-agent" "$path/pilot/cmd/pilot-agent" || return 1
    compile -tags "$ISTIO_TAGS" -ldflags "$flags" -o "$part/echo-server" "$path/pkg/test/echo/cmd/server" || return 1
    compile -tags "$ISTIO_TAGS" -ldflags "$flags" -o "$part/echo-client" "$path/pkg/test/echo/cmd/client" || return 1
    # The agent writes Envoy's first configuration from it.
    install -m 644 "$source/tools/packaging/common/envoy_bootstrap.json" "$part/bootstrap.json"
    cd "$OLDPWD"
}

build() {
    local name=$1 root part
    root=$(root_of "cluster/$name")
    if [ ! -d "$root" ]; then
        part=$(mktemp -d -p "$CACHE")
        "$name" "$part" || { rm -rf "$part"; die "$name did not build"; }
        chmod 755 "$part"; mv "$part" "$root"
    fi
    ln -sfn "$root" "$CACHE/cluster-$name"
}

cd "$(dirname "$0")/.."
mkdir -p "$CACHE"
log=$(mktemp); trap 'rm -f "$log"' EXIT
[ $# -gt 0 ] || set -- kube runtime
for name in "$@"; do
    case $name in
        kube | runtime | coredns | istio) build "$name" ;;
        *) die "unknown part '$name': kube, runtime, coredns, istio or nothing" ;;
    esac
done
