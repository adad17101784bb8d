//! What was found, and what was to be reached.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Settings;

/// The operator's goals.
pub const WRITES_A_SECOND: f64 = 5.0;
pub const BYTES: u64 = 500_000_000;
pub const AGE: f64 = 30.0;

/// Everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Machine, kernel, what was simulated: one line.
    pub conditions: String,
    pub sizes: Vec<Size>,
    pub busy: Option<Busy>,
}

impl Findings {
    pub fn new(settings: &Settings) -> Result<Self> {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
        let processors = std::thread::available_parallelism()?;
        let conditions = format!(
            "{} pods a node, {} MeshAccelerations that name every node, each node reports every {} s; {processors} processors, \
             shared with API server and etcd; Linux {kernel}",
            settings.pods_a_node,
            settings.objects,
            settings.every.as_secs()
        );
        Ok(Self { conditions, ..Self::default() })
    }
}

/// The operator in a cluster of one size.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Size {
    pub nodes: usize,
    pub pods: usize,
    pub phases: Vec<Phase>,
    /// The whole of it, a second each.
    pub moments: Vec<Moment>,
    /// From the operator's start to statuses that count every node and pod, in s.
    pub first_sight_s: f64,
    /// From an edit to Programmed, while every node reports it, in s.
    pub edit_s: f64,
    /// From the leader's death to the first status of the next one, in s.
    pub succession_s: f64,
    /// Most that any operator had resident, in bytes.
    pub peak_bytes: u64,
}

impl Size {
    pub fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

/// A span of time in which one thing went on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    /// In s since the record's start.
    pub from: f64,
    pub to: f64,
    /// Reports of nodes in this time.
    pub reports: usize,
    /// From a report to a status that knows of it.
    pub delay: Spread,
    pub rates: Rates,
}

/// Of many delays, in s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
            values.get(index).copied().unwrap_or_default()
        };
        Self { median: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// What a process did in a span of time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Rates {
    pub seconds: f64,
    pub cpu_cores: f64,
    pub peak_bytes: u64,
    pub writes_a_second: f64,
    /// By verb and resource.
    pub requests_a_second: BTreeMap<String, f64>,
}

/// One second.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Moment {
    /// In s since the record's start.
    pub at: f64,
    pub seconds: f64,
    pub cpu: f64,
    pub resident: u64,
    pub writes: u64,
    /// How old the oldest report was that some status did not know, in s.
    pub age: f64,
}

/// The daemon on a node with many pods.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Busy {
    pub pods: usize,
    /// Nothing happens.
    pub at_rest: Rates,
    /// Pods change all the time.
    pub busy: Rates,
    /// Events that the API server took in that time, a minute.
    pub events_a_minute: f64,
    /// From the API server's answer to a change that selects a pod, or does not any more, to a daemon that has carried it
    /// out, while pods change all the time.
    pub lag: Spread,
    /// How many such changes were timed.
    pub timed: usize,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What might have been found.
    pub(in super::super) fn findings() -> Findings {
        let phase = |name: &str, from: f64, to: f64| Phase {
            name: name.to_owned(),
            from,
            to,
            reports: 7500,
            delay: Spread { median: 5.2, p99: 10.3, max: 11.0 },
            rates: Rates {
                seconds: to - from,
                cpu_cores: 0.11,
                peak_bytes: 61 << 20,
                writes_a_second: 1.4,
                ..Rates::default()
            },
        };
        let moment = |second: u32| {
            let at = f64::from(second);
            let spike = if (100..120).contains(&second) { 0.6 } else { 0.0 };
            Moment {
                at,
                seconds: 1.0,
                cpu: 0.1 + spike,
                resident: 60 << 20,
                writes: u64::from(second % 3),
                age: at % 10.0,
            }
        };
        let names = [crate::scale::story::STEADY, crate::scale::story::BURST, crate::scale::story::SUCCESSOR];
        let size = Size {
            nodes: 5000,
            pods: 150_000,
            phases: vec![phase(names[0], 4.0, 98.0), phase(names[1], 98.0, 121.0), phase(names[2], 123.0, 170.0)],
            moments: (1..170).map(moment).collect(),
            first_sight_s: 3.9,
            edit_s: 22.0,
            succession_s: 10.1,
            peak_bytes: 63 << 20,
        };
        let busy = Busy { pods: 250, events_a_minute: 9990.0, timed: 80, ..Busy::default() };
        Findings { conditions: "30 pods a node".to_owned(), sizes: vec![size], busy: Some(busy) }
    }

    #[test]
    fn a_spread_is_of_values_that_occurred() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Spread::of(hundred), Spread { median: 50.0, p99: 99.0, max: 100.0 });
        assert_eq!(Spread::of(vec![3.0]), Spread { median: 3.0, p99: 3.0, max: 3.0 });
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
