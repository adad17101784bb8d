//! Every row of the benchmark, with the goals that the project has set itself.

use meshaccel_e2e_load::pattern::Pattern;
use meshaccel_e2e_load::protocol::{Page, Protocol};
use meshaccel_e2e_mesh::interception::Provider;
use meshaccel_e2e_mesh::{Sidecars, ports};
use serde::Serialize;

use super::variant::Variant;

/// What meshaccel is to reach against plain TCP: at least this ratio of operations, at most this ratio of CPU for each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goal {
    pub rate: f64,
    pub cpu: Option<f64>,
}

/// What a row without a goal of its own must not fall below.
pub const FLOOR: f64 = 0.97;

/// How a row is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Between two processes in one network namespace.
    Pair(Pattern),
    /// The same in a pod that is not selected, while another is accelerated.
    NotSelected(Pattern),
    /// Between two pods, through Envoys.
    Proxied(Proxied),
    /// Between two pods, through the sidecars that real Istio injects, to this port of the server.
    Injected { port: u16, pattern: Pattern },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proxied {
    pub provider: Provider,
    pub sidecars: Sidecars,
    pub traffic: Traffic,
}

/// What goes through the Envoys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Traffic {
    /// h2load and nginx.
    Http2 { path: &'static str, connections: u32, streams: u32 },
    /// Request/response between the load generator's own two processes.
    Tcp { size: usize, connections: usize },
    /// The load generator's client, and a server of somebody else's on this port.
    Server { port: u16, protocol: Protocol, connections: usize },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What `--only` selects by.
    pub id: String,
    pub label: String,
    pub kind: Kind,
    pub goal: Option<Goal>,
}

impl Row {
    fn new(id: &str, label: &str, kind: Kind) -> Self {
        Self { id: id.to_owned(), label: label.to_owned(), kind, goal: None }
    }

    fn goal(self, rate: f64) -> Self {
        Self { goal: Some(Goal { rate, cpu: None }), ..self }
    }

    /// The heading above it.
    pub fn group(&self) -> &'static str {
        match self.kind {
            Kind::Pair(_) => "Two processes of one pod",
            Kind::Injected { .. } => "Two sidecars that Istio injected, strict mutual TLS",
            Kind::NotSelected(_) => "A pod that is not selected, beside an accelerated one",
            Kind::Proxied(Proxied { provider, sidecars, .. }) => match (provider, sidecars) {
                (Provider::Istio, Sidecars::Both) => "Two Envoys, Istio's rules, mutual TLS between them",
                (Provider::Istio, Sidecars::ServerOnly) => "One Envoy before the server, Istio's rules",
                (Provider::Linkerd, Sidecars::Both) => "Two Envoys, Linkerd's rules, mutual TLS between them",
                (Provider::Linkerd, Sidecars::ServerOnly) => "One Envoy before the server, Linkerd's rules",
            },
        }
    }

    pub fn variants(&self) -> &'static [Variant] {
        match self.kind {
            Kind::Pair(_) => &Variant::ALL,
            Kind::NotSelected(_) | Kind::Injected { .. } => &[Variant::Plain, Variant::Meshaccel],
            Kind::Proxied(_) => &[Variant::Plain, Variant::Meshaccel, Variant::Published],
        }
    }

    pub fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Pair(pattern) | Kind::NotSelected(pattern) | Kind::Injected { pattern, .. } => pattern.unit(),
            Kind::Proxied(_) => "requests",
        }
    }
}

/// Where rows are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// On this machine as it is.
    Machine,
    /// In a cluster with Istio.
    Istio,
}

/// All rows of a site whose id begins with `only`; one row, when that is its whole id.
pub fn rows(site: Site, only: &str) -> Vec<Row> {
    let mut rows = match site {
        Site::Machine => [pairs(), not_selected(), proxied()].concat(),
        Site::Istio => injected(),
    };
    let whole = rows.iter().any(|row| row.id == only);
    rows.retain(|row| if whole { row.id == only } else { row.id.starts_with(only) });
    rows
}

fn ask(size: usize, connections: usize) -> Pattern {
    Pattern::Ask { size, connections }
}

fn pairs() -> Vec<Row> {
    let pair = |id: &str, label: &str, pattern| Row::new(&format!("pair/{id}"), label, Kind::Pair(pattern));
    let connect = |requests| Pattern::Connect { size: 64, requests };
    vec![
        pair("ask-1", "request/response, 1 B", ask(1, 1)),
        pair("ask-64", "request/response, 64 B", ask(64, 1)).goal(1.7),
        pair("ask-1k", "request/response, 1 KB", ask(1024, 1)),
        pair("ask-16k", "request/response, 16 KB", ask(16 << 10, 1)).goal(1.4),
        pair("ask-64-c16", "request/response, 64 B, 16 connections", ask(64, 16)),
        pair("ask-64-c256", "request/response, 64 B, 256 connections", ask(64, 256)),
        pair("stream-64", "one way, 64 B", Pattern::Stream { size: 64 }).goal(0.97),
        pair("stream-1k", "one way, 1 KB", Pattern::Stream { size: 1024 }).goal(0.97),
        pair("stream-64k", "one way, 64 KB", Pattern::Stream { size: 64 << 10 }).goal(1.5),
        pair("duplex-1k", "both ways at once, 1 KB", Pattern::Duplex { size: 1024 }),
        pair("connect-1", "connect and 1 request, 64 B", connect(1)).goal(0.97),
        pair("connect-10", "connect and 10 requests, 64 B", connect(10)),
    ]
}

fn not_selected() -> Vec<Row> {
    let row =
        |id: &str, label: &str, pattern| Row::new(&format!("other/{id}"), label, Kind::NotSelected(pattern)).goal(0.99);
    vec![
        row("ask-64", "request/response, 64 B", ask(64, 1)),
        row("stream-64", "one way, 64 B", Pattern::Stream { size: 64 }),
        row("connect-1", "connect and 1 request, 64 B", Pattern::Connect { size: 64, requests: 1 }),
    ]
}

fn proxied() -> Vec<Row> {
    let server = |port, protocol, connections| Traffic::Server { port, protocol, connections };
    let http1 = |page, connections| server(ports::HTTP1, Protocol::Http(page), connections);
    let http2 = Traffic::Http2 { path: "small", connections: 4, streams: 4 };
    let tcp = Traffic::Tcp { size: 64, connections: 16 };
    let mut rows = Vec::new();
    for provider in [Provider::Istio, Provider::Linkerd] {
        for (sidecars, count) in [(Sidecars::Both, 2), (Sidecars::ServerOnly, 1)] {
            let mut add = |id: &str, label: &str, traffic, goal| {
                let id = format!("{}{count}/{id}", provider.as_str().to_lowercase());
                let kind = Kind::Proxied(Proxied { provider, sidecars, traffic });
                rows.push(Row { goal, ..Row::new(&id, label, kind) });
            };
            let goal = Goal { rate: 1.35, cpu: Some(0.75) };
            add("http1", "HTTP/1.1, 16 connections", http1(Page::Small, 16), (count == 2).then_some(goal));
            if (provider, sidecars) == (Provider::Istio, Sidecars::Both) {
                add("http1-c1", "HTTP/1.1, 1 connection", http1(Page::Small, 1), None);
                add("http1-64k", "HTTP/1.1, 64 KB, 16 connections", http1(Page::Large, 16), None);
            }
            add("http2", "HTTP/2, 4 connections, 4 streams each", http2, None);
            add("tcp", "TCP, 64 B there and back, 16 connections", tcp, None);
            if (provider, sidecars) == (Provider::Istio, Sidecars::ServerOnly) {
                add("redis", "Redis, GET of 64 B, 16 connections", server(ports::REDIS, Protocol::Redis, 16), None);
                add(
                    "postgres",
                    "PostgreSQL, SELECT of 64 B, 16 connections",
                    server(ports::POSTGRES, Protocol::Postgres, 16),
                    None,
                );
            }
        }
    }
    rows
}

/// Ports are those of the Service in e2e/cluster/manifests/istio.yaml.
fn injected() -> Vec<Row> {
    let row = |id: &str, label: &str, port, pattern| Row::new(id, label, Kind::Injected { port, pattern });
    let http = |page| Pattern::Converse { protocol: Protocol::Http(page), connections: 16 };
    let call = |size| Pattern::Call { size, connections: 16 };
    vec![
        row("istio/http1", "HTTP/1.1, 26 B", 8080, http(Page::Small)),
        row("istio/http1-64k", "HTTP/1.1, 64 KB", 8080, http(Page::Large)),
        row("istio/grpc", "gRPC, 64 B there and back", 7070, call(64)),
        row("istio/grpc-64k", "gRPC, 64 KB there and back", 7070, call(64 << 10)),
        row("istio/tcp", "TCP, 64 B there and back", 9001, ask(64, 16)),
        row("istio/tcp-64k", "TCP, 64 KB there and back", 9001, ask(64 << 10, 16)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_select_by_their_beginning() {
        let mut ids: Vec<String> = rows(Site::Machine, "").into_iter().map(|row| row.id).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert!(
            rows(Site::Machine, "pair/ask").iter().all(|row| row.id.starts_with("pair/ask"))
                && !rows(Site::Machine, "pair/ask").is_empty()
        );
        assert_eq!(rows(Site::Machine, "pair/ask-1").len(), 1, "not pair/ask-16k");
        assert!(rows(Site::Machine, "nothing").is_empty());
    }
}
