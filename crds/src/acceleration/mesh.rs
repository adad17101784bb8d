//! `spec.mesh`: how the sidecar's end of a connection is told from the application's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::present;
use crate::rules;

/// How a sidecar is told from its application. One end of a connection is the sidecar's when its socket belongs to
/// the proxy's uid, or its local port is a sidecar port, or its local address is the loopback source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("x-kubernetes-validations" = rules::MESH))]
pub struct Mesh {
    /// The mesh: Auto, Istio, Linkerd or Custom. Default: Auto, recognised from the pod's containers (istio-proxy,
    /// linkerd-proxy); a pod with neither is treated as if it had both.
    #[serde(default)]
    pub provider: Provider,
    /// Ports that the sidecar listens on, 1 to 65535, at most 8; provider Custom only. Without these and without
    /// proxyUid, provider Custom accelerates every pod-local connection. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "sidecar_ports")]
    pub sidecar_ports: Vec<u16>,
    /// User id that the sidecar runs as, 0 to 4294967294; provider Custom only. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "i64", range(min = 0, max = rules::MAX_UID))]
    pub proxy_uid: Option<i64>,
    /// IPv4 or IPv6 address from which the sidecar connects to its application (Istio uses 127.0.0.6); provider Custom
    /// only. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schemars(with = "String", length(max = rules::MAX_ADDRESS))]
    pub loopback_source: Option<String>,
}

/// The mesh whose sidecars are accelerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Provider {
    /// Recognised pod by pod from the names of its containers.
    #[default]
    Auto,
    /// Ports 15001 and 15006, uid 1337, loopback sources 127.0.0.6 and ::6.
    Istio,
    /// Ports 4140 and 4143, uid 2102.
    Linkerd,
    /// As written in sidecarPorts, proxyUid and loopbackSource.
    Custom,
}

fn sidecar_ports(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    ports(rules::MAX_SIDECAR_PORTS)
}

/// A list of ports. Written out because schemars gives u16 the format `uint16`, of which the API server warns that it
/// knows no such format.
pub(super) fn ports(max_items: usize) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "set",
        "maxItems": max_items,
        "items": { "type": "integer", "format": "int32", "minimum": rules::MIN_PORT, "maximum": u16::MAX },
    })
}
