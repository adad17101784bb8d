//! Bounds, and the CEL rules for what a schema cannot say.
//!
//! Each rule stands here once, with the sentence that a person reads; the schema and [`crate::validate()`] both take it
//! from here, so that an API server and a daemon without one refuse the same objects with the same words.

use serde::Serialize;

/// Lowest port that a connection can have.
pub const MIN_PORT: u16 = 1;
/// Most `mesh.sidecarPorts`. The kernel programs compare them one by one for every connection.
pub const MAX_SIDECAR_PORTS: usize = 8;
/// Most `redirect.excludedPorts`, for the same reason.
pub const MAX_EXCLUDED_PORTS: usize = 16;
/// Highest uid. 4294967295 is `(uid_t)-1`, which the kernel keeps for "no uid".
pub const MAX_UID: i64 = 4_294_967_294;
/// Longest text of an IP address (INET6_ADDRSTRLEN less its NUL).
pub const MAX_ADDRESS: usize = 45;
/// Lowest `maxBytesInFlight`: 4 KiB, one page. With less, ordinary messages would take TCP. (In flight: redirected, and not read yet, in
/// one direction of one connection.)
pub const MIN_BYTES_IN_FLIGHT: u32 = 4096;
/// Highest `maxBytesInFlight`: 16 MiB. They are kernel memory that the pod does not pay for in time.
pub const MAX_BYTES_IN_FLIGHT: u32 = 16 * 1024 * 1024;
/// Default of `maxBytesInFlight`: 1 MiB.
pub const DEFAULT_BYTES_IN_FLIGHT: u32 = 1 << 20;
/// Lowest `maxMessagesInFlight`.
pub const MIN_MESSAGES_IN_FLIGHT: u32 = 1;
/// Highest `maxMessagesInFlight`.
pub const MAX_MESSAGES_IN_FLIGHT: u32 = 1024;
/// Default of `maxMessagesInFlight`.
pub const DEFAULT_MESSAGES_IN_FLIGHT: u32 = 256;
/// Most `matchExpressions` in one selector. The API server wants a bound to price the CEL rule on each of them.
pub const MAX_MATCH_EXPRESSIONS: usize = 16;
/// Most `values` in one requirement, for the same reason.
pub const MAX_REQUIREMENT_VALUES: usize = 64;
/// Longest label key, in characters as JSON schema counts them, like the lengths below: 253 of prefix, a slash, 63 of name.
pub const MAX_LABEL_KEY: usize = 317;
/// Longest label value.
pub const MAX_LABEL_VALUE: usize = 63;

/// Longest sentence in a report.
pub const MAX_MESSAGE: usize = 1024;
/// Longest kernel release (`__NEW_UTS_LEN`).
pub const MAX_KERNEL: usize = 64;
/// Most findings, and most programs, in a report.
pub const MAX_FINDINGS: usize = 32;
/// Most conflicting objects that a node names.
pub const MAX_CONFLICTS: usize = 8;

/// One entry of `x-kubernetes-validations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The CEL expression, true for objects that are accepted.
    pub rule: &'static str,
    /// What a person reads when it is false.
    pub message: &'static str,
    /// The field to blame, from the struct that carries the rule: `.sidecarPorts`. None: that struct itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_path: Option<&'static str>,
}

/// On the spec: `podSelector`, `namespaceSelector` or both must be written; `{}` chooses everything.
pub const SOME_SELECTOR: Rule = Rule {
    rule: "has(self.podSelector) || has(self.namespaceSelector)",
    message: "write podSelector, namespaceSelector or both ({} chooses everything)",
    field_path: None,
};
/// On the spec: a sidecar's port without its connections would leave nothing to accelerate, silently.
pub const PORTS_DISJOINT: Rule = Rule {
    rule: "!has(self.mesh.sidecarPorts) || !has(self.redirect.excludedPorts) || \
           !self.mesh.sidecarPorts.exists(port, port in self.redirect.excludedPorts)",
    message: "must not name a port of mesh.sidecarPorts: nothing would be accelerated there",
    field_path: Some(".redirect.excludedPorts"),
};
/// On the mesh: the known meshes bring their own ports.
pub const PORTS_NEED_CUSTOM: Rule = Rule {
    rule: "self.provider == 'Custom' || !has(self.sidecarPorts) || size(self.sidecarPorts) == 0",
    message: "only allowed with provider Custom",
    field_path: Some(".sidecarPorts"),
};
/// On the mesh: the known meshes bring their own uid.
pub const UID_NEEDS_CUSTOM: Rule = Rule {
    rule: "self.provider == 'Custom' || !has(self.proxyUid)",
    message: "only allowed with provider Custom",
    field_path: Some(".proxyUid"),
};
/// On the mesh: the known meshes bring their own loopback source.
pub const SOURCE_NEEDS_CUSTOM: Rule = Rule {
    rule: "self.provider == 'Custom' || !has(self.loopbackSource)",
    message: "only allowed with provider Custom",
    field_path: Some(".loopbackSource"),
};
/// On the mesh: an address that sockets can have. CEL's `isIP` refuses v4-mapped addresses and zones, too.
pub const SOURCE_IS_ADDRESS: Rule = Rule {
    rule: "!has(self.loopbackSource) || isIP(self.loopbackSource)",
    message: "must be an IPv4 or IPv6 address such as 127.0.0.6",
    field_path: Some(".loopbackSource"),
};
/// On a selector's requirement: comparing with nothing is a mistake.
pub const VALUES_NEEDED: Rule = Rule {
    rule: "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
    message: "at least one value is required with operators In and NotIn",
    field_path: Some(".values"),
};
/// On a selector's requirement: values that would be ignored are a mistake.
pub const VALUES_REFUSED: Rule = Rule {
    rule: "self.operator in ['In', 'NotIn'] || !has(self.values) || size(self.values) == 0",
    message: "no values are allowed with operators Exists and DoesNotExist",
    field_path: Some(".values"),
};

/// All rules on the spec.
pub const SPEC: &[Rule] = &[SOME_SELECTOR, PORTS_DISJOINT];
/// All rules on `spec.mesh`.
pub const MESH: &[Rule] = &[PORTS_NEED_CUSTOM, UID_NEEDS_CUSTOM, SOURCE_NEEDS_CUSTOM, SOURCE_IS_ADDRESS];
/// All rules on one requirement of a selector.
pub const REQUIREMENT: &[Rule] = &[VALUES_NEEDED, VALUES_REFUSED];
