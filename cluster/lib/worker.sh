# What makes the cluster's machine a node: containerd, kubelet, kube-proxy.

SOCKET=/run/containerd/containerd.sock

# ctr inside the node, in the namespace of Kubernetes' images and containers.
ctr_in_node() { nsenter "$(mount_of_node)" --net="$NETNS_FILE" -- "$RUNTIME/ctr" --address "$SOCKET" --namespace k8s.io "$@"; }

# load_images ARCHIVE...
load_images() {
    local archive
    for archive in "$@"; do
        ctr_in_node images import --local - <"$archive" >>"$WORK/log/images" 2>&1 || die "cannot import $archive"
    done
}

# start_containerd ARCHIVE...: with images; the first one that any pod needs is pause.
start_containerd() {
    mkdir -p "$WORK/node/cni.d"
    cat >"$WORK/node/containerd.toml" <<TOML
version = 3
# State is below /run, which is the node's own; images and containers' files want a disk.
root = "$WORK/node/containerd"
# Both would make folders on the machine.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "$PAUSE"

[plugins."io.containerd.cri.v1.runtime"]
  # Machines that are containers themselves may not lower the score of what they start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$RUNTIME"]
    conf_dir = "$WORK/node/cni.d"
TOML
    # ptp, not bridge: pods are routed to one another, so what Services translate is translated back, without the module
    # br_netfilter.
    cat >"$WORK/node/cni.d/10-pods.conflist" <<JSON
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {"type": "ptp", "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_RANGE"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
    part containerd "$RUNTIME/containerd" --config "$WORK/node/containerd.toml"
    await 20 "containerd answers" ctr_in_node version
    load_images "$@"
}

start_kubelet() {
    cat >"$WORK/node/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$SOCKET
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
# Hybrid machines have v1 hierarchies too, which the kubelet refuses unless told.
failCgroupV1: false
failSwapOn: false
# Lowering it needs a capability that machines that are containers may lack.
oomScoreAdj: 0
enforceNodeAllocatable: [pods]
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $WORK/pki/ca.crt}}
authorization: {mode: Webhook}
clusterDNS: [$DNS_SERVICE]
clusterDomain: cluster.local
# Names of the machine's own network lead nowhere from here.
resolvConf: ""
# The disk is the machine's: how full it is does not concern the cluster, and images cannot be pulled again.
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 5s
volumePluginDir: $WORK/node/volume-plugins
YAML
    part kubelet "$KUBE/kubelet" --config="$WORK/node/kubelet.yaml" --kubeconfig="$WORK/kubeconfig/kubelet" \
        --hostname-override="$NODE" --node-ip="$NODE_ADDRESS" --cert-dir="$WORK/node/kubelet-certificates"
    # Zeros: limits of conntrack are the machine's, not this namespace's, so they stay as they are.
    part kube-proxy "$KUBE/kube-proxy" --kubeconfig="$WORK/kubeconfig/proxy" --hostname-override="$NODE" \
        --bind-address="$NODE_ADDRESS" --cluster-cidr="$POD_RANGE" --proxy-mode=iptables \
        --conntrack-max-per-core=0 --conntrack-min=0 \
        --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
}

await_node() {
    await 60 "the node is registered" "$KUBE/kubectl" --kubeconfig="$ADMIN" get node "$NODE"
    "$KUBE/kubectl" --kubeconfig="$ADMIN" wait --for=condition=Ready "node/$NODE" --timeout=60s >/dev/null
}
