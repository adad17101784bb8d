//! The load generators that Redis and PostgreSQL bring along.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Outcome;
use crate::mesh::pod::Pod;
use crate::mesh::process::User;
use crate::mesh::{ports, servers};

const LIMIT: Duration = Duration::from_secs(60);

/// redis-benchmark: SETs of 64 bytes over `connections` connections. It counts requests, not seconds.
pub fn redis(client: &Pod, server: IpAddr, requests: u64, connections: u32) -> Result<Outcome> {
    let (host, port) = (server.to_string(), ports::REDIS.to_string());
    let (requests, connections) = (requests.to_string(), connections.to_string());
    let load = ["-h", &host, "-p", &port, "-n", &requests, "-c", &connections, "-t", "set", "-d", "64", "--csv"];
    let output = client.output(User::APP, "redis-benchmark", &load, LIMIT)?;
    let text = String::from_utf8_lossy(&output);
    parse_redis(&text, requests.parse()?).with_context(|| format!("cannot read redis-benchmark's output:\n{text}"))
}

/// `"SET","75187.97","0.131",...`: rate, then mean, minimum, 50, 95 and 99 percent in milliseconds.
fn parse_redis(text: &str, requests: u64) -> Option<Outcome> {
    let line = text.lines().find(|line| line.starts_with("\"SET\""))?;
    let numbers: Vec<f64> = line.split(',').skip(1).map(|n| n.trim_matches('"').parse().ok()).collect::<Option<_>>()?;
    Some(Outcome {
        requests,
        requests_per_second: *numbers.first()?,
        p50_us: Some(numbers.get(3)? * 1000.0),
        p99_us: Some(numbers.get(5)? * 1000.0),
        failures: 0,
    })
}

/// Fills the tables that [`postgres`] reads.
pub fn fill_postgres(client: &Pod, server: IpAddr) -> Result<()> {
    pgbench(client, server, &["--initialize", "--quiet"]).map(drop)
}

/// pgbench: prepared SELECTs for `seconds` over `connections` connections.
pub fn postgres(client: &Pod, server: IpAddr, seconds: u32, connections: u32) -> Result<Outcome> {
    let (seconds, connections) = (seconds.to_string(), connections.to_string());
    let load = ["--select-only", "--no-vacuum", "--protocol", "prepared", "--time", &seconds, "--client", &connections];
    let text = pgbench(client, server, &load)?;
    parse_postgres(&text).with_context(|| format!("cannot read pgbench's output:\n{text}"))
}

fn pgbench(client: &Pod, server: IpAddr, arguments: &[&str]) -> Result<String> {
    let program = servers::postgres_program("pgbench")?;
    let (host, port) = (server.to_string(), ports::POSTGRES.to_string());
    let all = [&["-h", &host, "-p", &port, "-U", "app"], arguments, &["postgres"]].concat();
    Ok(String::from_utf8_lossy(&client.output(User::APP, &program, &all, LIMIT)?).into_owned())
}

/// "number of transactions actually processed: 12345", "number of failed transactions: 0 (0.000%)",
/// "latency average = 1.234 ms", "tps = 12345.678 (without initial connection time)".
fn parse_postgres(text: &str) -> Option<Outcome> {
    let after = |label: &str| {
        let rest = text.lines().find_map(|line| line.trim().strip_prefix(label))?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    Some(Outcome {
        requests: after("number of transactions actually processed:")?.parse().ok()?,
        requests_per_second: after("tps =")?.parse().ok()?,
        p50_us: None,
        p99_us: None,
        failures: after("number of failed transactions:")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_says_a_rate_and_percentiles() {
        let text = "\"test\",\"rps\",\"avg_latency_ms\"\n\"SET\",\"75187.97\",\"0.131\",\"0.024\",\"0.079\",\"0.215\",\"1.655\",\"9.463\"\n";
        let outcome = parse_redis(text, 20_000).unwrap();
        assert_eq!((outcome.requests, outcome.requests_per_second), (20_000, 75_187.97));
        assert_eq!((outcome.p50_us, outcome.p99_us), (Some(79.0), Some(1655.0)));
        assert_eq!(parse_redis("Could not connect", 1), None);
    }

    #[test]
    fn pgbench_says_a_rate_and_failures() {
        let text = "number of transactions actually processed: 4321\nnumber of failed transactions: 2 (0.046%)\n\
            latency average = 1.234 ms\ninitial connection time = 12.3 ms\ntps = 4390.5 (without initial connection time)\n";
        let outcome = parse_postgres(text).unwrap();
        assert_eq!((outcome.requests, outcome.requests_per_second, outcome.failures), (4321, 4390.5, 2));
        assert!(outcome.check().is_err());
    }
}
