#!/usr/bin/env bash
# A real Kubernetes on this machine, for tests and for trying: one node with its control plane, in a network namespace, a
# mount namespace and a control group of its own. Any number of them run side by side, each by its name.
#
#   scripts/cluster.sh [--name NAME] COMMAND          NAME: dev, unless $MESHACCEL_CLUSTER says otherwise
#     up [--control-plane | --mesh istio] [ARCHIVE...]
#                                         starts it, in about ten seconds; images from OCI archives
#     down                                ends it; nothing of it is left
#     status                              what runs, the node, its pods
#     enter COMMAND...                    runs a command in its namespaces, with KUBECONFIG set
#     load ARCHIVE...                     imports images into a running one
#     stop PART, start PART               one of its processes: etcd, kube-apiserver, kubelet, ...
#
# --control-plane: no kubelet, no containerd: objects can be made, nothing runs. Half the time and a third of the memory.
# --mesh istio: with CoreDNS and Istio, whose images must be among the archives; some twenty seconds more.
#
# Programs are those of scripts/cluster-build.sh. State is in $MESHACCEL_CLUSTERS/NAME (/var/lib/meshaccel/clusters). The
# machine sees of a cluster that folder, /run/netns/meshaccel-NAME, control groups meshaccel-NAME, and one listening port
# on 127.0.0.1; no interface, route, firewall rule, mount or sysctl.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
LIB=$HERE/../cluster/lib
NAME=${MESHACCEL_CLUSTER:-dev}
if [ "${1:-}" = --name ]; then NAME=${2:?--name wants a name}; shift 2; fi
for file in names parts namespaces pki control-plane worker mesh; do
    # shellcheck source=/dev/null
    . "$LIB/$file.sh"
done

up() {
    local worker=yes mesh= started=$SECONDS
    case ${1:-} in
        --control-plane) worker=; shift ;;
        --mesh) mesh=${2:?--mesh wants a name}; shift 2 ;;
    esac
    check_machine "$worker"
    [ -z "$mesh" ] || check_mesh "$mesh"
    [ ! -e "$WORK" ] || die "cluster $NAME exists: scripts/cluster.sh --name $NAME down"
    trap failed EXIT
    mkdir -p "$WORK"/{kubeconfig,log,parts,pids,pki}
    make_namespaces
    local port; port=$(open_port)
    make_pki "$port"
    start_api_server "$port"
    [ -z "$worker" ] || start_containerd "$@"
    await_api_server "$port"
    start_controllers
    [ -z "$worker" ] || start_kubelet
    await_controllers
    [ -z "$worker" ] || await_node
    [ -z "$mesh" ] || "install_$mesh"
    trap - EXIT
    cat >&2 <<TEXT
Cluster $NAME runs Kubernetes $("$KUBE/kubectl" version --client -o json | sed -n 's/.*"gitVersion": "\(.*\)",/\1/p') after $((SECONDS - started)) s. Next:
  export KUBECONFIG=$ADMIN PATH=$CACHE/cluster-kube:\$PATH
  kubectl get nodes,pods -A
  scripts/cluster.sh --name $NAME enter bash        # inside the node
  scripts/cluster.sh --name $NAME down
TEXT
}

# What there is to say of an `up` that did not get there, then its end.
failed() {
    local log
    trap - EXIT
    for log in "$WORK"/log/*; do
        [ -s "$log" ] && { printf -- '--- the end of %s\n' "$(basename "$log")"; tail -n 8 "$log" | cut -c 1-400; } >&2
    done
    [ -n "${MESHACCEL_KEEP:-}" ] || down
    die "cluster $NAME did not start"
}

down() {
    end_namespaces
    rm -rf "$WORK"
    rmdir "$CLUSTERS" "$(dirname "$CLUSTERS")" 2>/dev/null || true
}

status() {
    [ -e "$WORK" ] || { say "cluster $NAME is not there"; return 1; }
    local part
    for part in $(parts); do
        if runs "$part"; then say "runs     $part (process $(pid_of "$part"))"; else say "stopped  $part"; fi
    done
    KUBECONFIG=$ADMIN "$KUBE/kubectl" --request-timeout=5s get nodes,pods -A -o wide
}

enter() {
    [ $# -gt 0 ] || die "enter wants a command"
    needs_cluster
    exec nsenter "$(mount_of_node)" --net="$NETNS_FILE" --wd="$PWD" -- env KUBECONFIG="$ADMIN" PATH="$KUBE:$RUNTIME:$PATH" "$@"
}

command=${1:-}; [ $# -eq 0 ] || shift
case $command in
    up | down | status | enter) "$command" "$@" ;;
    load) needs_cluster; load_images "$@" ;;
    start) needs_cluster; start_part "${1:?start wants a part: $(parts)}" ;;
    stop) needs_cluster; stop_part "${1:?stop wants a part: $(parts)}" ;;
    furnish) furnish ;; # called by make_namespaces, inside them
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
