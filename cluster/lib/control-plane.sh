# etcd, API server, controller manager, scheduler.

# The API server's port, the same on 127.0.0.1 inside and outside: chosen by who carries connections in.
open_port() {
    part forward --outside "$KUBE/forward" "$NETNS_FILE" "$WORK/port"
    await 5 "a port" test -s "$WORK/port" || return 1
    cat "$WORK/port"
}

start_api_server() {
    local port=$1 pki=$WORK/pki etcd=http://127.0.0.1:2379 peers=http://127.0.0.1:2380
    # A cluster that is thrown away needs no fsync, which is most of what etcd does.
    part etcd "$KUBE/etcd" --data-dir "$WORK/etcd" --unsafe-no-fsync \
        --listen-client-urls "$etcd" --advertise-client-urls "$etcd" --listen-peer-urls "$peers" \
        --initial-advertise-peer-urls "$peers" --initial-cluster "default=$peers"
    part kube-apiserver "$KUBE/kube-apiserver" --etcd-servers="$etcd" \
        --bind-address=0.0.0.0 --secure-port="$port" --advertise-address="$NODE_ADDRESS" \
        --tls-cert-file="$pki/api-server.crt" --tls-private-key-file="$pki/api-server.key" --client-ca-file="$pki/ca.crt" \
        --kubelet-client-certificate="$pki/api-server-to-kubelet.crt" \
        --kubelet-client-key="$pki/api-server-to-kubelet.key" --kubelet-preferred-address-types=InternalIP \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/service-accounts.pub" \
        --service-account-signing-key-file="$pki/service-accounts.key" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged \
        --service-cluster-ip-range="$SERVICE_RANGE" ${MESHACCEL_API_SERVER_ARGS:-}
}

await_api_server() {
    await 60 "the API server is ready" curl -fsS --noproxy '*' --cacert "$WORK/pki/ca.crt" "https://127.0.0.1:$1/readyz"
}

start_controllers() {
    local pki=$WORK/pki
    # One of each, so leases would only delay the start.
    part kube-controller-manager "$KUBE/kube-controller-manager" --kubeconfig="$WORK/kubeconfig/controller-manager" \
        --leader-elect=false --use-service-account-credentials --root-ca-file="$pki/ca.crt" \
        --service-account-private-key-file="$pki/service-accounts.key" \
        --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
        --flex-volume-plugin-dir="$WORK/node/volume-plugins" \
        --bind-address=127.0.0.1 --cert-dir="$WORK/node/controller-manager" ${MESHACCEL_CONTROLLER_ARGS:-}
    part kube-scheduler "$KUBE/kube-scheduler" --kubeconfig="$WORK/kubeconfig/scheduler" \
        --leader-elect=false --bind-address=127.0.0.1 --cert-dir="$WORK/node/scheduler" ${MESHACCEL_SCHEDULER_ARGS:-}
}

await_controllers() {
    await 30 "controller manager and scheduler are healthy" controllers_are_healthy
    # The default namespace's account is made by a controller; without it no pod can be created.
    await 30 "the default service account" "$KUBE/kubectl" --kubeconfig="$ADMIN" get serviceaccount default
}

controllers_are_healthy() {
    local port
    for port in 10257 10259; do
        nsenter --net="$NETNS_FILE" curl -fsSk --noproxy '*' "https://127.0.0.1:$port/healthz" || return 1
    done
}
