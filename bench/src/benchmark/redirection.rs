//! How much of an accelerated window was really redirected, and why the rest was not: from the daemon's own counters.

use std::collections::BTreeMap;

use anyhow::Result;
use meshaccel_e2e_harness::connections::Connections;
use meshaccel_e2e_harness::daemon::Daemon;
use serde::Serialize;

/// Bytes by what became of them, and the ends of connections by their state at the end of the window.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Redirection {
    /// What applications sent; where proxies carry it, what promoted sockets sent.
    pub bytes: u64,
    pub redirected: u64,
    /// Sent by promoted sockets and passed to TCP, by reason.
    pub passed: BTreeMap<String, u64>,
    /// Ends of open connections that were not redirected, by reason.
    pub ends: BTreeMap<String, u64>,
}

/// The daemon's byte counters at one moment.
#[derive(Debug)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    pub fn read(daemon: &Daemon) -> Result<Self> {
        Ok(Self::of(&daemon.get("/metrics")?.body))
    }

    /// From what the daemon exports to Prometheus.
    pub fn of(metrics: &str) -> Self {
        Self(parse(metrics))
    }

    /// What came since; `bytes` is what was sent, when that is known.
    pub fn since(&self, earlier: &Self, bytes: Option<u64>) -> Redirection {
        let grown = self.0.iter().map(|(reason, now)| (reason.clone(), now - earlier.0.get(reason).unwrap_or(&0)));
        let mut passed: BTreeMap<String, u64> = grown.filter(|(_, bytes)| *bytes > 0).collect();
        let counted = passed.values().sum();
        let redirected = passed.remove("redirected").unwrap_or(0);
        Redirection { bytes: bytes.unwrap_or(counted), redirected, passed, ends: BTreeMap::new() }
    }
}

/// `meshaccel_bytes_total` by reason.
fn parse(metrics: &str) -> BTreeMap<String, u64> {
    let samples = metrics.lines().filter_map(|line| line.strip_prefix("meshaccel_bytes_total{reason=\""));
    samples
        .filter_map(|rest| rest.split_once("\"} "))
        .filter_map(|(r, n)| Some((r.to_owned(), n.parse().ok()?)))
        .collect()
}

impl Redirection {
    /// Adds the ends that are open now and take TCP.
    pub fn look_at(&mut self, connections: &Connections) {
        for row in connections.0.iter().filter(|row| row.path != "redirected") {
            *self.ends.entry(row.reason.clone().unwrap_or_default()).or_default() += 1;
        }
    }

    /// Adds another window.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.redirected += other.redirected;
        for (into, from) in [(&mut self.passed, &other.passed), (&mut self.ends, &other.ends)] {
            for (reason, count) in from {
                *into.entry(reason.clone()).or_default() += count;
            }
        }
    }

    /// Share of the bytes that went past the stack.
    pub fn share(&self) -> f64 {
        if self.bytes == 0 { 0.0 } else { (self.redirected as f64 / self.bytes as f64).min(1.0) }
    }

    /// "99.8 % redirected; path_kept_alive 0.2 %".
    pub fn sentence(&self) -> String {
        let percent = |bytes: u64| 100.0 * bytes as f64 / self.bytes.max(1) as f64;
        let mut words = vec![format!("{:.1} % redirected", 100.0 * self.share())];
        let mut passed: Vec<_> = self.passed.iter().filter(|(_, bytes)| percent(**bytes) >= 0.05).collect();
        passed.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        words.extend(passed.iter().map(|(reason, bytes)| format!("{reason} {:.1} %", percent(**bytes))));
        let elsewhere = self.bytes.saturating_sub(self.redirected + self.passed.values().sum::<u64>());
        if percent(elsewhere) >= 0.05 {
            words.push(format!("not promoted {:.1} %", percent(elsewhere)));
        }
        if self.share() < 0.99 && !self.ends.is_empty() {
            let ends: Vec<String> = self.ends.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            words.push(format!("ends on TCP: {}", ends.join(", ")));
        }
        words.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(redirected: u64, barrier: u64) -> Counters {
        Counters(parse(&format!(
            "# TYPE x counter\nmeshaccel_messages_total{{reason=\"redirected\"}} 7\n\
             meshaccel_bytes_total{{reason=\"redirected\"}} {redirected}\n\
             meshaccel_bytes_total{{reason=\"order_barrier\"}} {barrier}\n"
        )))
    }

    #[test]
    fn what_no_counter_saw_was_not_promoted() {
        let mut redirection = counters(1600, 250).since(&counters(600, 50), Some(2000));
        assert_eq!((redirection.redirected, redirection.share()), (1000, 0.5));
        redirection.ends.insert("candidate".into(), 2);
        let expected = "50.0 % redirected; order_barrier 10.0 %; not promoted 40.0 %; ends on TCP: 2 candidate";
        assert_eq!(redirection.sentence(), expected);
    }

    #[test]
    fn without_knowledge_of_what_was_sent_the_counted_bytes_are_all() {
        assert_eq!(counters(900, 100).since(&counters(0, 0), None).share(), 0.9);
        assert_eq!(Redirection::default().share(), 0.0);
    }

    #[test]
    fn windows_add_up() {
        let mut sum = counters(900, 100).since(&counters(0, 0), None);
        sum.add(&counters(100, 900).since(&counters(0, 0), None));
        assert_eq!((sum.share(), sum.passed["order_barrier"]), (0.5, 1000));
    }
}
