//! What `meshaccel-node probe -o json` found, as far as a table of kernels shows it.

use serde::{Deserialize, Serialize};

/// What the daemon can do on this kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Redirected bytes count in sk_rmem_alloc.
    pub rmem_counts: bool,
    /// A running connection can be promoted.
    pub late_promotion: bool,
    /// Blocking receive calls wait on after a wake-up without bytes.
    pub blocking_waits: bool,
    /// What is seen when an application takes to it.
    pub habits_seen: Vec<String>,
    /// How: fentry | tracepoints
    pub habits_by: String,
    /// both | redirected | tcp | neither
    pub fionread: String,
    /// How a running connection is promoted, once the probe says it.
    #[serde(default)]
    pub promotion: Option<String>,
    pub findings: Vec<Finding>,
}

/// One thing that was tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub what: String,
    pub works: bool,
    pub seen: String,
}

impl Found {
    /// The finding about this.
    pub fn about(&self, what: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.what.contains(what))
    }

    /// Other sockets are read by loads.
    pub fn casts(&self) -> bool {
        self.about("by loads").is_some_and(|finding| finding.works)
    }

    /// How a running connection is promoted.
    pub fn mechanism(&self) -> String {
        let seen = || self.about("promote a running connection").map(|finding| finding.seen.clone());
        self.promotion.clone().or_else(seen).unwrap_or_default()
    }
}
