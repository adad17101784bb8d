//! Which endpoints a Service's traffic may go to from this node: as kube-proxy 1.37 chooses them (`CategorizeEndpoints` of
//! pkg/proxy/topology.go). Pure.
//!
//! Ready ones; with a hint for this node or zone those, if each ready one has hints and one of them is meant; only where none is ready
//! anywhere those that serve still while they terminate (KEP-1669), whatever the hints say. A policy of `Local` looks at this node's alone.

use std::net::IpAddr;

/// An endpoint, with what its EndpointSlice says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// In host byte order.
    pub port: u16,
    /// `conditions.ready`; unset means true.
    pub ready: bool,
    /// `conditions.serving`; unset means ready.
    pub serving: bool,
    /// `conditions.terminating`; unset means false.
    pub terminating: bool,
    /// `nodeName`, if it is on a node.
    pub node: Option<String>,
    /// `hints.forZones`, by name.
    pub for_zones: Vec<String>,
    /// `hints.forNodes`, by name.
    pub for_nodes: Vec<String>,
}

/// Where this is asked.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// `metadata.name` of the Node.
    pub node: &'a str,
    /// Its label `topology.kubernetes.io/zone`.
    pub zone: Option<&'a str>,
}

/// `internalTrafficPolicy`, or `externalTrafficPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Endpoints anywhere.
    Cluster,
    /// Those of this node.
    Local,
}

/// What is to become of traffic to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen<'a> {
    /// Any of these, with equal probability. Never empty.
    Among(Vec<&'a Endpoint>),
    /// There is none: it is refused.
    Refuse,
    /// There is none here, but elsewhere, and the policy is Local: it is dropped.
    Drop,
}

/// Of all endpoints of a Service's port.
#[must_use]
pub fn choose<'a>(endpoints: &'a [Endpoint], policy: Policy, here: Here<'_>) -> Chosen<'a> {
    let chosen = match policy {
        Policy::Cluster => {
            let hints = Hints::of(endpoints, here);
            or_terminating(endpoints, |endpoint| endpoint.ready && hints.mean(endpoint, here), |_| true)
        }
        Policy::Local => {
            let is_local = |endpoint: &Endpoint| endpoint.node.as_deref() == Some(here.node);
            or_terminating(endpoints, |endpoint| endpoint.ready && is_local(endpoint), is_local)
        }
    };
    match policy {
        _ if !chosen.is_empty() => Chosen::Among(chosen),
        Policy::Local if endpoints.iter().any(|endpoint| endpoint.ready || outlasts(endpoint)) => Chosen::Drop,
        _ => Chosen::Refuse,
    }
}

/// Those, or where there is none those that serve to the end.
fn or_terminating(
    endpoints: &[Endpoint],
    first: impl Fn(&Endpoint) -> bool,
    at_all: impl Fn(&Endpoint) -> bool,
) -> Vec<&Endpoint> {
    let ready: Vec<_> = endpoints.iter().filter(|endpoint| first(endpoint)).collect();
    if !ready.is_empty() {
        return ready;
    }
    endpoints.iter().filter(|endpoint| outlasts(endpoint) && at_all(endpoint)).collect()
}

fn outlasts(endpoint: &Endpoint) -> bool {
    endpoint.serving && endpoint.terminating
}

/// Which hints count.
#[derive(Clone, Copy)]
enum Hints {
    Nodes,
    Zones,
    None,
}

impl Hints {
    /// Those of nodes if every ready endpoint has some and one is for this node; else those of zones likewise; else none.
    fn of(endpoints: &[Endpoint], here: Here<'_>) -> Self {
        let ready = || endpoints.iter().filter(|endpoint| endpoint.ready);
        if ready().all(|one| !one.for_nodes.is_empty()) && ready().any(|one| is_for_node(one, here)) {
            return Self::Nodes;
        }
        if ready().all(|one| !one.for_zones.is_empty()) && ready().any(|one| is_for_zone(one, here)) {
            return Self::Zones;
        }
        Self::None
    }

    fn mean(self, endpoint: &Endpoint, here: Here<'_>) -> bool {
        match self {
            Self::Nodes => is_for_node(endpoint, here),
            Self::Zones => is_for_zone(endpoint, here),
            Self::None => true,
        }
    }
}

fn is_for_node(endpoint: &Endpoint, here: Here<'_>) -> bool {
    endpoint.for_nodes.iter().any(|node| node == here.node)
}

fn is_for_zone(endpoint: &Endpoint, here: Here<'_>) -> bool {
    endpoint.for_zones.iter().any(|zone| Some(zone.as_str()) == here.zone)
}

#[cfg(test)]
mod tests;
