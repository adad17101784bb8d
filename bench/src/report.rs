//! What a person sees at the end: one table and one picture of the same numbers.
//!
//! * [`ratios`] the picture of the benchmark; [`course`] of measures over time
//! * [`table`] for the terminal; [`picture`] as SVG, [`png`] the same as PNG; [`words`] numbers as people write them

mod canvas;
pub mod course;
pub mod picture;
pub mod png;
pub mod ratios;
pub mod table;
pub mod words;

use crate::sample::Sample;

/// A finished comparison.
#[derive(Debug, Clone)]
pub struct Findings {
    /// What was measured and how: one line.
    pub conditions: String,
    /// One sample a round.
    pub plain: Vec<Sample>,
    pub accelerated: Vec<Sample>,
    /// The throughput of one load during which the daemon was started.
    pub timeline: Timeline,
    /// Connections that were redirected at one moment under load.
    pub connections: u64,
    /// Bytes that did not go through the network stack, in all accelerated rounds.
    pub bytes: u64,
}

/// Throughput in equal steps of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// (seconds since the load's start, requests per second until then)
    pub points: Vec<(f64, f64)>,
    /// When the daemon had said that it was ready.
    pub started_at: f64,
}

/// One row of table and picture.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    pub name: &'static str,
    pub more_is_better: bool,
    pub value: fn(&Sample) -> f64,
    pub format: fn(f64) -> String,
}

/// What is compared, in order of interest.
pub const MEASURES: [Measure; 4] = [
    Measure {
        name: "Requests per second",
        more_is_better: true,
        value: |s| s.requests_per_second,
        format: words::thousands,
    },
    Measure { name: "CPU per request", more_is_better: false, value: |s| s.cpu_us, format: words::duration },
    Measure { name: "Median latency", more_is_better: false, value: |s| s.p50_us, format: words::duration },
    Measure { name: "99th percentile", more_is_better: false, value: |s| s.p99_us, format: words::duration },
];

impl Findings {
    /// Medians of both sides; `None` without a round.
    pub fn medians(&self) -> Option<(Sample, Sample)> {
        Some((Sample::median(&self.plain)?, Sample::median(&self.accelerated)?))
    }

    /// The finding in one sentence.
    pub fn headline(&self) -> String {
        let Some((plain, accelerated)) = self.medians() else { return "Nothing was measured".to_owned() };
        let rate = accelerated.requests_per_second / plain.requests_per_second;
        let cpu = accelerated.cpu_us / plain.cpu_us;
        let change = |ratio: f64, same: &str, more: &str, less: &str| match (ratio - 1.0) * 100.0 {
            percent if percent.abs() < 1.0 => same.to_owned(),
            percent if percent > 0.0 => format!("{percent:.0} % {more}"),
            percent => format!("{:.0} % {less}", -percent),
        };
        let (requests, cpu) = (change(rate, "as many", "more", "fewer"), change(cpu, "as much", "more", "less"));
        format!("meshaccel: {requests} requests, {cpu} CPU for each")
    }
}
