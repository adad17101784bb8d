//! wrk: keep-alive connections, each with one request outstanding.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Outcome;
use crate::pod::Pod;
use crate::process::{Process, User};

/// What wrk may take beyond its time: it waits for its threads and prints.
const GRACE: Duration = Duration::from_secs(20);

/// A running wrk.
#[derive(Debug)]
pub struct Wrk {
    process: Process,
    limit: Duration,
}

impl Wrk {
    /// Starts one thread with `connections` fresh connections for `seconds`.
    pub fn start(client: &Pod, url: &str, connections: u32, seconds: u32) -> Result<Self> {
        let (connections, duration) = (connections.to_string(), format!("{seconds}s"));
        let arguments = ["--threads", "1", "--connections", &connections, "--duration", &duration, "--latency", url];
        let process = client.start_captured(User::APP, "wrk", "wrk", &arguments)?;
        Ok(Self { process, limit: Duration::from_secs(seconds.into()) + GRACE })
    }

    /// Waits for the end and reads the result; failures are in it, not in the error.
    pub fn finish(self) -> Result<Outcome> {
        let output = self.process.finish(self.limit)?;
        let text = String::from_utf8_lossy(&output);
        parse(&text).with_context(|| format!("cannot read wrk's output:\n{text}"))
    }
}

/// Reads wrk's report.
fn parse(text: &str) -> Option<Outcome> {
    let after = |label: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(label).map(str::trim));
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())?;
    let refused = after("Non-2xx or 3xx responses:").map_or(Some(0), |n| n.parse().ok())?;
    // "Socket errors: connect 0, read 3, write 0, timeout 0": absent when all are zero.
    let broken: u64 = after("Socket errors:")
        .map_or(Some(0), |list| list.split(',').map(|e| e.split_whitespace().last()?.parse::<u64>().ok()).sum())?;
    Some(Outcome {
        requests,
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_us: Some(microseconds(after("50%")?)?),
        p99_us: Some(microseconds(after("99%")?)?),
        failures: refused + broken,
    })
}

/// "870.00us", "1.21ms", "2.00s".
fn microseconds(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 3s test @ http://10.244.0.20:8080/small
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.21ms    1.20ms  30.11ms   92.15%
    Req/Sec     7.40k     1.02k    8.99k    70.00%
  Latency Distribution
     50%  870.00us
     75%    2.39ms
     90%    3.01ms
     99%    6.78ms
  22123 requests in 3.00s, 5.21MB read
Requests/sec:   7372.15
Transfer/sec:      1.74MB
";

    #[test]
    fn a_good_report_is_read() {
        let outcome = parse(REPORT).unwrap();
        let expected = Outcome {
            requests: 22123,
            requests_per_second: 7372.15,
            p50_us: Some(870.0),
            p99_us: Some(6780.0),
            failures: 0,
        };
        assert_eq!(outcome, expected);
        outcome.check().unwrap();
    }

    #[test]
    fn every_kind_of_failure_is_counted() {
        let errors =
            "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\nRequests/sec";
        let outcome = parse(&REPORT.replace("Requests/sec", errors)).unwrap();
        assert_eq!(outcome.failures, 15);
        assert!(outcome.check().is_err());
    }

    #[test]
    fn a_report_cut_short_is_no_result() {
        assert_eq!(parse(REPORT.split("22123").next().unwrap()), None);
    }
}
