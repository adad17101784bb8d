//! Envoy's bootstrap, as plain JSON. Pure: names in, document out.

use std::path::Path;

use serde_json::{Value, json};

use crate::certificates::spiffe;
use crate::interception::Provider;
use crate::ports;

/// Where Istio's sidecars answer `/healthz/ready`.
const HEALTH_PORT: u16 = 15021;

const HCM: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TCP_PROXY: &str = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const ORIGINAL_DST: &str = "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst";
const UPSTREAM_TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const DOWNSTREAM_TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const HTTP_OPTIONS: &str = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The whole configuration of `pod`'s sidecar, which trusts `peer` and nobody else. `certificates` is where it finds
/// them. Without `mutual_tls` it takes whatever comes in as it is: for clients that have no sidecar.
pub(super) fn bootstrap(pod: &str, peer: &str, provider: Provider, certificates: &Path, mutual_tls: bool) -> Value {
    let security = Security { pod, peer, certificates };
    let inbound = mutual_tls.then_some(&security);
    json!({
        "node": { "id": pod, "cluster": pod },
        "admin": { "address": address("127.0.0.1", super::ADMIN_PORT) },
        "static_resources": {
            "listeners": [
                listener("outbound", provider.outbound_port(), outbound_chains()),
                listener("inbound", provider.inbound_port(), inbound_chains(inbound)),
            ],
            "clusters": [
                // Sidecar to sidecar: HTTP/2 whatever the application speaks, as in a mesh.
                cluster("outbound_http", Some(2), Some(security.upstream(&["h2"])), None),
                cluster("outbound_tcp", None, Some(security.upstream(&[])), None),
                cluster("inbound_http1", Some(1), None, provider.inbound_source()),
                cluster("inbound_http2", Some(2), None, provider.inbound_source()),
                cluster("inbound_tcp", None, None, provider.inbound_source()),
            ],
        },
    })
}

/// Adds the port on which a sidecar of Istio tells the kubelet that it is ready; the rules let it through.
pub(super) fn with_health(mut bootstrap: Value) -> Value {
    let health = json!({
        "name": "health",
        "address": address("0.0.0.0", HEALTH_PORT),
        "filter_chains": [{ "filters": [{ "name": "http", "typed_config": {
            "@type": HCM,
            "stat_prefix": "health",
            "http_filters": [{ "name": "router", "typed_config": { "@type": ROUTER } }],
            "route_config": { "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{ "match": { "path": "/healthz/ready" }, "direct_response": { "status": 200 } }],
            }] },
        } }] }],
    });
    if let Some(listeners) = bootstrap["static_resources"]["listeners"].as_array_mut() {
        listeners.push(health);
    }
    bootstrap
}

fn outbound_chains() -> Vec<Value> {
    let http = [ports::HTTP1, ports::HTTP2]
        .map(|port| json!({ "filter_chain_match": { "destination_port": port }, "filters": [http("outbound_http")] }));
    http.into_iter().chain([json!({ "filters": [tcp("outbound_tcp")] })]).collect()
}

fn inbound_chains(security: Option<&Security>) -> Vec<Value> {
    let secured = |mut chain: Value, protocols: &[&str]| {
        if let Some(security) = security {
            chain["transport_socket"] = security.downstream(protocols);
        }
        chain
    };
    let http = [(ports::HTTP1, "inbound_http1"), (ports::HTTP2, "inbound_http2")].map(|(port, cluster)| {
        let chain = json!({ "filter_chain_match": { "destination_port": port }, "filters": [http(cluster)] });
        secured(chain, &["h2"])
    });
    http.into_iter().chain([secured(json!({ "filters": [tcp("inbound_tcp")] }), &[])]).collect()
}

/// Listens on both families, separately, as Istio's dual-stack sidecars do.
fn listener(name: &str, port: u16, filter_chains: Vec<Value>) -> Value {
    json!({
        "name": name,
        "stat_prefix": name,
        "address": address("0.0.0.0", port),
        // By default the kernel's hash decides which worker gets a connection; with a handful of connections that luck
        // is most of a measurement's noise.
        "connection_balance_config": { "exact_balance": {} },
        "additional_addresses": [{ "address": address("::", port) }],
        "listener_filters": [{ "name": "original_dst", "typed_config": { "@type": ORIGINAL_DST } }],
        "filter_chains": filter_chains,
    })
}

fn http(cluster: &str) -> Value {
    json!({
        "name": "http",
        "typed_config": {
            "@type": HCM,
            "stat_prefix": cluster,
            "codec_type": "AUTO",
            // The peer's certified name, for the application: also how the tests see that TLS was mutual.
            "forward_client_cert_details": "SANITIZE_SET",
            "set_current_client_cert_details": { "subject": true, "uri": true },
            // A long stream is not an idle one, and the harness sets its own deadlines.
            "stream_idle_timeout": "0s",
            "http_filters": [{ "name": "router", "typed_config": { "@type": ROUTER } }],
            "route_config": {
                "virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": cluster, "timeout": "0s" } }],
                }],
            },
        },
    })
}

fn tcp(cluster: &str) -> Value {
    json!({
        "name": "tcp",
        "typed_config": { "@type": TCP_PROXY, "stat_prefix": cluster, "cluster": cluster, "idle_timeout": "0s" },
    })
}

/// A cluster that connects to wherever the connection was meant to go.
fn cluster(name: &str, http: Option<u8>, transport: Option<Value>, source: Option<[&str; 2]>) -> Value {
    let mut cluster = json!({
        "name": name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "5s",
        // Limits of the default circuit breaker would turn a load test into a test of 503s.
        "circuit_breakers": { "thresholds": [{
            "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000, "max_retries": 100_000,
        }] },
    });
    if let Some(version) = http {
        let options = if version == 2 { "http2_protocol_options" } else { "http_protocol_options" };
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": HTTP_OPTIONS, "explicit_http_config": { options: {} },
            },
        });
    }
    if let Some(transport) = transport {
        cluster["transport_socket"] = transport;
    }
    if let Some([v4, v6]) = source {
        cluster["upstream_bind_config"] = json!({
            "source_address": { "address": v4, "port_value": 0 },
            "extra_source_addresses": [{ "address": { "address": v6, "port_value": 0 } }],
        });
    }
    cluster
}

/// Who this sidecar is and whom it believes.
struct Security<'a> {
    pod: &'a str,
    peer: &'a str,
    certificates: &'a Path,
}

impl Security<'_> {
    fn upstream(&self, protocols: &[&str]) -> Value {
        let context = json!({ "@type": UPSTREAM_TLS, "common_tls_context": self.common(protocols) });
        json!({ "name": "tls", "typed_config": context })
    }

    fn downstream(&self, protocols: &[&str]) -> Value {
        let context = json!({
            "@type": DOWNSTREAM_TLS, "require_client_certificate": true, "common_tls_context": self.common(protocols),
        });
        json!({ "name": "tls", "typed_config": context })
    }

    fn common(&self, protocols: &[&str]) -> Value {
        let file = |name: &str| json!({ "filename": self.certificates.join(name) });
        json!({
            "alpn_protocols": protocols,
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3" },
            "tls_certificates": [{
                "certificate_chain": file(&format!("{}.crt", self.pod)),
                "private_key": file(&format!("{}.key", self.pod)),
            }],
            "validation_context": {
                "trusted_ca": file("ca.crt"),
                "match_typed_subject_alt_names": [
                    { "san_type": "URI", "matcher": { "exact": spiffe(self.peer) } },
                    { "san_type": "URI", "matcher": { "exact": spiffe(self.pod) } },
                ],
            },
        })
    }
}

fn address(ip: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": ip, "port_value": port } })
}
