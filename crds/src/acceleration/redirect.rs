//! `spec.redirect`: what is redirected, when, and within which limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mesh::ports;
use crate::rules;

/// What is redirected, when, and within which limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redirect {
    /// Whether anything is redirected; false leaves connections recorded and on TCP. Default: true.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// PodLocal redirects between an application and its sidecar; NodeLocal also between the sidecars of two chosen
    /// pods on one node. Default: PodLocal.
    #[serde(default)]
    pub scope: Scope,
    /// Auto redirects a connection once both ends have shown that it is safe; Eager redirects whatever pairs, from its
    /// establishment on. Default: Auto.
    #[serde(default)]
    pub promotion: Promotion,
    /// Ports, 1 to 65535, at most 16, whose connections stay on TCP whichever end has the port. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "excluded_ports")]
    pub excluded_ports: Vec<u16>,
    /// How much may be on its way past the network stack, in one direction of one connection.
    #[serde(default)]
    pub limits: Limits,
}

/// How much one direction of one connection may have handed over and not yet read. What exceeds it takes TCP, with
/// TCP's own flow control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Most bytes in flight, 4096 to 16777216 (16 MiB). Default: 1048576 (1 MiB).
    #[serde(default = "bytes_in_flight")]
    #[schemars(with = "i64", range(min = rules::MIN_BYTES_IN_FLIGHT, max = rules::MAX_BYTES_IN_FLIGHT))]
    pub max_bytes_in_flight: u32,
    /// Most messages (one message is one send) in flight, 1 to 1024. Default: 256.
    #[serde(default = "messages_in_flight")]
    #[schemars(with = "i64", range(min = rules::MIN_MESSAGES_IN_FLIGHT, max = rules::MAX_MESSAGES_IN_FLIGHT))]
    pub max_messages_in_flight: u32,
}

/// How far a redirected connection may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// Between an application and its own sidecar.
    #[default]
    PodLocal,
    /// Also between the sidecars of two chosen pods on one node.
    NodeLocal,
}

/// When a connection leaves TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Promotion {
    /// Once both ends have shown that it is safe.
    #[default]
    Auto,
    /// From establishment on, for those who know their connections.
    Eager,
}

impl Default for Redirect {
    fn default() -> Self {
        Self {
            enabled: enabled(),
            scope: Scope::default(),
            promotion: Promotion::default(),
            excluded_ports: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes_in_flight: bytes_in_flight(), max_messages_in_flight: messages_in_flight() }
    }
}

fn enabled() -> bool {
    true
}

fn bytes_in_flight() -> u32 {
    rules::DEFAULT_BYTES_IN_FLIGHT
}

fn messages_in_flight() -> u32 {
    rules::DEFAULT_MESSAGES_IN_FLIGHT
}

fn excluded_ports(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    ports(rules::MAX_EXCLUDED_PORTS)
}
