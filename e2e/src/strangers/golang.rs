//! The network tests of Go's standard library. Go's sockets are non-blocking and edge-triggered; io.Copy between two of
//! them is splice(2), from a file sendfile(2).

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::everything;
use super::outcome::{Outcome, Outcomes};
use super::place::{Job, Place, Ran};
use super::suite::{Report, Suite};
use crate::mesh::parts;

/// Packages whose compiled tests scripts/setup.sh leaves in the cache, the longest first.
const PACKAGES: [&str; 8] =
    ["net/http", "net", "crypto/tls", "net/http/httputil", "net/http/httptest", "net/rpc", "net/smtp", "net/textproto"];

/// The longest takes 30 seconds alone on a machine with nothing else to do, and 100 with its long tests.
const LIMIT: Duration = Duration::from_secs(90);
const LONG_LIMIT: Duration = Duration::from_secs(400);

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

    fn run(&self, place: &Place<'_>, part: &str, case: Option<&str>, without: &[String]) -> Result<Ran> {
        let limit = if everything() { LONG_LIMIT } else { LIMIT };
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
        let hung = running(&ran.log);
        let outcomes = results(&ran.log);
        if outcomes.is_empty() && hung.is_empty() {
            bail!("no test reported anything:\n{}", ran.tail(20));
        }
        if !hung.is_empty() {
            // The next run without them tells all; tests above the hung ones are failed only because of them.
            return Ok(Report { outcomes: Outcomes::default(), hung });
        }
        Ok(Report { outcomes, hung })
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

/// The tests that Go lists when a time-out ends it: the innermost ones.
fn running(log: &str) -> Vec<String> {
    let Some((_, list)) = log.split_once("running tests:\n") else { return Vec::new() };
    let lines = list.lines().map(str::trim).take_while(|line| !line.is_empty());
    let names: Vec<&str> = lines.filter_map(|line| Some(line.rsplit_once(" (")?.0)).collect();
    let inner = |name: &&&str| !names.iter().any(|other| other.starts_with(&format!("{name}/")));
    names.iter().filter(inner).map(|name| (*name).to_owned()).collect()
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
    fn the_innermost_running_tests_are_named() {
        let log = "panic: test timed out after 2m30s\n\trunning tests:\n\t\tTestProxy (2m29s)\n\t\tTestProxy/a=b (2m29s)\n\
            \ngoroutine 1 [running]:\n";
        assert_eq!(running(log), ["TestProxy/a=b"]);
        assert_eq!(pattern("TestProxy/a.b"), r"^TestProxy$/^a\.b$");
    }
}
