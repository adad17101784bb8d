# Who is who in a cluster: an authority, a certificate for each part, and the kubeconfigs that hold them. For 30 days.

# make_pki PORT: the API server's port on 127.0.0.1.
make_pki() {
    local port=$1 names
    cd "$WORK/pki"
    new_key ca
    openssl req -x509 -new -key ca.key -days 30 -subj /CN=meshaccel-cluster \
        -addext keyUsage=critical,keyCertSign,digitalSignature,cRLSign -out ca.crt
    new_key service-accounts
    openssl ec -in service-accounts.key -pubout -out service-accounts.pub 2>/dev/null
    names="IP:127.0.0.1,IP:$API_SERVICE,IP:$NODE_ADDRESS,DNS:localhost,DNS:kubernetes.default.svc"
    certificate api-server /CN=kube-apiserver "subjectAltName=$names" extendedKeyUsage=serverAuth
    certificate api-server-to-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client extendedKeyUsage=clientAuth
    client admin /O=system:masters/CN=admin
    client controller-manager /CN=system:kube-controller-manager
    client scheduler /CN=system:kube-scheduler
    client proxy /CN=system:kube-proxy
    client kubelet "/O=system:nodes/CN=system:node:$NODE"
    cd "$OLDPWD"
}

# Elliptic curves: RSA keys would take a second of the start.
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; chmod 600 "$1.key"; }

# certificate NAME SUBJECT EXTENSION...
certificate() {
    local name=$1 subject=$2; shift 2
    new_key "$name"
    printf '%s\n' "$@" >"$name.extensions"
    openssl req -new -key "$name.key" -subj "$subject" | openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial \
        -days 30 -extfile "$name.extensions" -out "$name.crt" 2>/dev/null
    rm "$name.extensions"
}

# client NAME SUBJECT: with a kubeconfig, which works inside and outside of the cluster's namespace.
client() {
    local name=$1
    certificate "$name" "$2" extendedKeyUsage=clientAuth
    cat >"$WORK/kubeconfig/$name" <<YAML
apiVersion: v1
kind: Config
current-context: '$NAME'
contexts: [{name: '$NAME', context: {cluster: '$NAME', user: $name}}]
clusters: [{name: '$NAME', cluster: {server: 'https://127.0.0.1:$port', certificate-authority-data: $(base64 -w 0 ca.crt)}}]
users: [{name: $name, user: {client-certificate-data: $(base64 -w 0 "$name.crt"), client-key-data: $(base64 -w 0 "$name.key")}}]
YAML
    chmod 600 "$WORK/kubeconfig/$name"
}
