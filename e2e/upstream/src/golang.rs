//! The network tests of Go's standard library. Go's sockets are non-blocking and edge-triggered; io.Copy between two of
//! them is splice(2), from a file sendfile(2).

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::parts;

use super::everything;
use super::fixture::{Fixture, Job, Ran};
use super::outcome::{Outcome, Outcomes};
use super::suite::{Report, Suite};

/// Packages whose compiled tests scripts/setup.sh leaves in the cache, the longest first.
const PACKAGES: [&str; 8] =
    ["net/http", "net", "crypto/tls", "net/http/httputil", "net/http/httptest", "net/rpc", "net/smtp", "net/textproto"];

/// The longest takes 30 seconds alone on a machine with nothing else to do, and 100 with its long tests.
const LIMIT: Duration = Duration::from_secs(90);
const LONG_LIMIT: Duration = Duration::from_secs(400);
/// One case alone.
const CASE_LIMIT: Duration = Duration::from_secs(30);
/// A case that was running for a shorter time did not hang: others took its time.
const YOUNG: f64 = 5.0;

/// The compiled tests, and the source tree with their test data.
#[derive(Debug)]
pub struct Go {
    binaries: PathBuf,
}

impl Go {
    pub fn find() -> Result<Self> {
        let one = PathBuf::from(parts::cached("go-tests/net.test")?);
        Ok(Self { binaries: one.parent().context("a file without a folder")?.to_owned() })
    }
}

impl Suite for Go {
    fn parts(&self) -> Vec<String> {
        PACKAGES.iter().map(|package| (*package).to_owned()).collect()
    }

    fn at_once(&self) -> usize {
        3
    }

    fn run(&self, place: &Fixture<'_>, part: &str, case: Option<&str>, without: &[String]) -> Result<Ran> {
        let limit = match case {
            Some(_) => CASE_LIMIT,
            None if everything() => LONG_LIMIT,
            None => LIMIT,
        };
        // Marks each line of a result, wherever a test's own output ended.
        let mut arguments = vec!["-test.v=test2json".to_owned(), format!("-test.timeout={}s", limit.as_secs())];
        if !everything() {
            arguments.push("-test.short".to_owned());
        }
        if let Some(case) = case {
            arguments.push(format!("-test.run={}", pattern(case)));
        }
        if !without.is_empty() {
            let patterns: Vec<String> = without.iter().map(|case| pattern(case)).collect();
            arguments.push(format!("-test.skip={}", patterns.join("|")));
        }
        let program = self.binaries.join(format!("{}.test", part.replace('/', "_")));
        let directory = Some(self.binaries.join("src").join(part));
        place.run(&Job { program: &program, arguments, directory, limit: limit + Duration::from_secs(10) })
    }

    fn read(&self, ran: &Ran) -> Result<Report> {
        let outcomes = results(&ran.log);
        let running = running(&ran.log);
        if running.is_empty() {
            if outcomes.is_empty() {
                bail!("no test reported anything:\n{}", ran.tail(20));
            }
            return Ok(Report { outcomes, hung: Vec::new() });
        }
        // The next run without them tells the rest; what stands above them failed only because of them.
        let mut report = Report::default();
        let old: Vec<&String> = running.iter().filter(|(_, age)| *age >= YOUNG).map(|(name, _)| name).collect();
        for name in old.iter().filter(|name| !old.iter().any(|other| other.starts_with(&format!("{name}/")))) {
            report.outcomes.note(name, Outcome::Unfinished);
            report.hung.push((*name).clone());
        }
        if report.hung.is_empty() {
            let slow = slowest(&ran.log).context("out of time, and no test took any")?;
            report.outcomes = outcomes.below(&slow);
            report.hung.push(slow);
        }
        Ok(report)
    }
}

/// What matches one test and nothing else: the levels of its name are matched apart.
fn pattern(case: &str) -> String {
    let escape = |level: &str| -> String {
        let special = |c: char| if r"\.+*?()|[]{}^$".contains(c) { format!("\\{c}") } else { c.to_string() };
        level.chars().map(special).collect()
    };
    case.split('/').map(|level| format!("^{}$", escape(level))).collect::<Vec<_>>().join("/")
}

/// `--- PASS: TestName/sub (0.00s)`, after the mark.
fn results(log: &str) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for line in log.lines() {
        let Some((_, line)) = line.split_once('\u{16}') else { continue };
        let Some(line) = line.trim_start().strip_prefix("--- ") else { continue };
        let Some((verdict, rest)) = line.split_once(": ") else { continue };
        let outcome = match verdict {
            "PASS" => Outcome::Passed,
            "FAIL" => Outcome::Failed,
            "SKIP" => Outcome::Skipped,
            _ => continue,
        };
        outcomes.note(rest.split(" (").next().unwrap_or(rest), outcome);
    }
    outcomes
}

/// The tests that Go lists when a time-out ends it, and for how many seconds they had been running.
fn running(log: &str) -> Vec<(String, f64)> {
    let Some((_, list)) = log.split_once("running tests:\n") else { return Vec::new() };
    let lines = list.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.rsplit_once(" (")).map(|(name, age)| (name.to_owned(), seconds(age))).collect()
}

/// `2m29s)`.
fn seconds(text: &str) -> f64 {
    let text = text.trim_end_matches(')').trim_end_matches('s');
    let (minutes, seconds) = text.split_once('m').unwrap_or(("0", text));
    minutes.parse().unwrap_or(0.0) * 60.0 + seconds.parse().unwrap_or(0.0)
}

/// The whole test (with its sub-tests) that took longest.
fn slowest(log: &str) -> Option<String> {
    let ended = log.lines().filter_map(|line| line.split_once("\u{16}--- ")?.1.split_once(": ")?.1.rsplit_once(" ("));
    let longest = ended.max_by(|a, b| seconds(a.1).total_cmp(&seconds(b.1)))?;
    Some(longest.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_go_are_read() {
        let log = "\u{16}=== RUN   TestA\nnoise\u{16}    --- FAIL: TestA/x=1,y (0.01s)\n\u{16}--- PASS: TestB (0.00s)\n\
            --- PASS: printed by a test (0s)\n";
        let outcomes = results(log);
        assert_eq!((outcomes.of("TestA/x=1,y"), outcomes.of("TestB")), (Some(Outcome::Failed), Some(Outcome::Passed)));
        assert_eq!(outcomes.len(), 2);
    }

    #[test]
    fn tests_without_an_end_are_named() {
        let log = "\u{16}--- FAIL: TestSlow (80.10s)\n\u{16}    --- FAIL: TestSlow/sub (80.00s)\n\u{16}--- PASS: TestB (1.0s)\n\
            panic: test timed out after 2m30s\n\trunning tests:\n\t\tTestProxy (2m29s)\n\t\tTestProxy/a=b (2m9s)\n\
            \ngoroutine 1 [running]:\n";
        assert_eq!(running(log), [("TestProxy".to_owned(), 149.0), ("TestProxy/a=b".to_owned(), 129.0)]);
        assert_eq!(slowest(log).as_deref(), Some("TestSlow"));
        assert_eq!(pattern("TestProxy/a.b"), r"^TestProxy$/^a\.b$");
    }
}
