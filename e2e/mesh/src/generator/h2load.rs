//! h2load: HTTP/2 connections without TLS, each with a number of streams outstanding.

use std::time::Duration;

use anyhow::{Context, Result};

use super::Outcome;
use crate::pod::Pod;
use crate::process::User;

/// Runs `requests` requests over `connections` connections with `streams` outstanding on each.
pub fn run(client: &Pod, url: &str, requests: u32, connections: u32, streams: u32) -> Result<Outcome> {
    let numbers = [requests, connections, streams].map(|n| n.to_string());
    let arguments = ["-n", &numbers[0], "-c", &numbers[1], "-m", &numbers[2], url];
    finish(client, &arguments)
}

/// The same for so many seconds, however many requests that makes.
pub fn run_for(client: &Pod, url: &str, seconds: u32, connections: u32, streams: u32) -> Result<Outcome> {
    let numbers = [seconds, connections, streams].map(|n| n.to_string());
    let arguments = ["-D", &numbers[0], "-c", &numbers[1], "-m", &numbers[2], url];
    finish(client, &arguments)
}

fn finish(client: &Pod, arguments: &[&str]) -> Result<Outcome> {
    let output = client.output(User::APP, "h2load", arguments, Duration::from_secs(60))?;
    let text = String::from_utf8_lossy(&output);
    parse(&text).with_context(|| format!("cannot read h2load's output:\n{text}"))
}

/// Reads "finished in 1.2s, 345.6 req/s, ..." and "requests: 10 total, 10 started, 10 done, 10 succeeded, ...".
fn parse(text: &str) -> Option<Outcome> {
    let finished = text.lines().find_map(|line| line.strip_prefix("finished in "))?;
    let rate = finished.split(',').find_map(|part| part.trim().strip_suffix(" req/s"))?;
    let requests = text.lines().find_map(|line| line.strip_prefix("requests: "))?;
    let count = |what: &str| requests.split(',').find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok());
    let (total, good): (u64, u64) = (count(" total")?, count(" succeeded")?);
    Some(Outcome {
        requests: total,
        requests_per_second: rate.parse().ok()?,
        p50_us: None,
        p99_us: None,
        failures: total.checked_sub(good)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_did_not_succeed_are_failures() {
        let report = "starting benchmark...\nfinished in 1.21s, 826.45 req/s, 13.02KB/s\n\
            requests: 1000 total, 1000 started, 999 done, 997 succeeded, 3 failed, 1 errored, 0 timeout\n";
        let outcome = parse(report).unwrap();
        assert_eq!((outcome.requests, outcome.failures), (1000, 3));
        assert!(outcome.check().is_err());
    }
}
