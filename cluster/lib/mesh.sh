# A service mesh in the cluster, as its own users install it.

ISTIO=$(realpath -m "$CACHE/cluster-istio")

# Says what this machine lacks for the mesh $1.
check_mesh() {
    [ "$1" = istio ] || die "unknown mesh '$1': istio is the only one"
    [ -x "$ISTIO/istioctl" ] || die "Istio is not built: run scripts/setup.sh cluster istio"
}

install_istio() {
    local kubectl=("$KUBE/kubectl" --kubeconfig="$ADMIN")
    # Sidecars know istiod by its name.
    "${kubectl[@]}" apply -f "$HERE/../cluster/coredns/install.yaml" >/dev/null
    "$ISTIO/istioctl" install --kubeconfig="$ADMIN" --skip-confirmation --readiness-timeout=120s \
        -f "$HERE/../cluster/istio/install.yaml" >"$WORK/log/istioctl" 2>&1 || return 1
    "${kubectl[@]}" -n kube-system rollout status deployment/coredns --timeout=60s >/dev/null
}
