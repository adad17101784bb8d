# Names, places and small words that the other files share. Sourced by scripts/cluster.sh, which sets NAME.

CACHE=${MESHACCEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/meshaccel}
# Resolved: a build that replaces the link does not change a cluster that runs.
KUBE=$(realpath -m "$CACHE/cluster-kube")
RUNTIME=$(realpath -m "$CACHE/cluster-runtime")

CLUSTERS=${MESHACCEL_CLUSTERS:-/var/lib/meshaccel/clusters}
WORK=$CLUSTERS/$NAME
ADMIN=$WORK/kubeconfig/admin

NETNS=meshaccel-$NAME
NETNS_FILE=/run/netns/$NETNS
CGROUP=meshaccel-$NAME
CGROUPS=/sys/fs/cgroup

NODE=node-0
# They are seen inside the cluster's own network namespace only, so all clusters have the same.
NODE_ADDRESS=10.246.0.1
POD_RANGE=10.244.0.0/24
SERVICE_RANGE=10.96.0.0/16
API_SERVICE=10.96.0.1
DNS_SERVICE=10.96.0.10

PAUSE=localhost/meshaccel/pause:dev

say() { printf '%s\n' "$*" >&2; }
die() { printf 'cluster: %s\n' "$*" >&2; exit 1; }

needs_cluster() { [ -e "$WORK" ] || die "cluster $NAME is not up: scripts/cluster.sh --name $NAME up"; }

# Asks `$@` ten times a second until it succeeds; fails after $1 seconds with $2.
await() {
    local limit=$1 what=$2 count=0; shift 2
    until "$@" >/dev/null 2>&1; do
        count=$((count + 1))
        [ $count -lt $((limit * 10)) ] || { say "waited $limit s in vain: $what"; return 1; }
        sleep 0.1
    done
}

# Says in one sentence what this machine lacks; $1: not empty if containers shall run.
check_machine() {
    [[ $NAME =~ ^[a-z0-9][a-z0-9-]{0,30}$ ]] || die "'$NAME' is no name: small letters, digits and -, at most 31"
    [ "$(id -u)" = 0 ] || die "must run as root: it makes namespaces and control groups (try: sudo -E make cluster)"
    local program kind
    for program in ip nsenter unshare openssl curl ${1:+runc iptables conntrack}; do
        command -v "$program" >/dev/null || die "$program is missing: run scripts/setup.sh cluster"
    done
    [ -x "$KUBE/kube-apiserver" ] || die "Kubernetes is not built: run scripts/setup.sh cluster"
    [ -z "$1" ] || [ -x "$RUNTIME/containerd" ] || die "containerd is not built: run scripts/setup.sh cluster"
    mkdir -p "$CLUSTERS"
    kind=$(stat -f -c %T "$CLUSTERS")
    case $kind in
        tmpfs | ramfs | overlayfs)
            rmdir "$CLUSTERS" 2>/dev/null || true
            die "$CLUSTERS is on $kind, where containers' own overlays cannot be: set MESHACCEL_CLUSTERS to a folder on a disk" ;;
    esac
}
