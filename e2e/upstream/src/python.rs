//! CPython's own tests of sockets and of everything that it builds on them, run by the interpreter they belong to.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use meshaccel_e2e_harness::parts;

use super::everything;
use super::fixture::{Fixture, Job, Ran};
use super::outcome::{Outcome, Outcomes};
use super::suite::{Report, Suite};

/// Parts of `make test`, the longest first: a module, and what of it to match ("+Class") or to leave out ("-Class").
const PARTS: [&str; 36] = [
    "test_imaplib",
    "test_ssl +ThreadedTests",
    "test_xmlrpc",
    "test_socket",
    "test_ssl -ThreadedTests",
    "test_asyncio.test_ssl",
    "test_asyncio.test_events",
    "test_asyncio.test_sslproto",
    "test_ftplib",
    "test_selectors",
    "test_poplib",
    "test_asyncio.test_sock_lowlevel",
    "test_asyncio.test_sendfile",
    "test_asyncio.test_streams",
    "test_asyncio.test_server",
    "test_asyncio.test_base_events",
    "test_asyncio.test_buffered_proto",
    "test_asyncio.test_selector_events",
    "test_asyncio.test_unix_events",
    "test_httplib",
    "test_httpservers",
    "test_urllib2_localnet",
    "test_smtplib",
    "test_socketserver",
    "test_asyncore",
    "test_asynchat",
    "test_select",
    "test_poll",
    "test_epoll",
    "test_wsgiref",
    "test_smtpd",
    "test_nntplib",
    "test_telnetlib",
    "test_docxmlrpc",
    "test_robotparser",
    "test_os +TestSendfile",
];

/// Added by `MESHACCEL_UPSTREAM=all`: long, and only some of their cases use the network.
const LONG: [&str; 9] = [
    "test_concurrent_futures",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_fork",
    "test_multiprocessing_spawn",
    "test_asyncio.test_tasks",
    "test_asyncio.test_subprocess",
    "test_asyncio.test_taskgroups",
    "test_logging",
    "test_os -TestSendfile",
];

/// Waits for a peer that many machines do not have (a loopback of AF_VSOCK), for ever.
const NOT_HERE: &str = "ThreadedVSOCKSocketStreamTest";

/// The longest part takes 20 seconds alone on a machine with nothing else to do, of [`LONG`] 100.
const LIMIT: Duration = Duration::from_secs(90);
const LONG_LIMIT: Duration = Duration::from_secs(600);
/// One case alone.
const CASE_LIMIT: Duration = Duration::from_secs(30);

/// The suite that scripts/setup.sh unpacked.
#[derive(Debug)]
pub struct Python {
    interpreter: PathBuf,
}

impl Python {
    pub fn find() -> Result<Self> {
        Ok(Self { interpreter: parts::cached("python-tests/usr/bin/python3")?.into() })
    }

    /// A module that this version of Python no longer has is no part of its suite.
    fn has(&self, part: &str) -> bool {
        let tests = self.interpreter.with_file_name("").join("../lib/python3/test");
        let path = tests.join(module(part).replace('.', "/"));
        path.is_dir() || path.with_extension("py").is_file()
    }
}

fn module(part: &str) -> &str {
    part.split(' ').next().unwrap_or(part)
}

impl Suite for Python {
    fn parts(&self) -> Vec<String> {
        let long = if everything() { &LONG[..] } else { &[] };
        long.iter().chain(&PARTS).filter(|part| self.has(part)).map(|part| (*part).to_owned()).collect()
    }

    fn at_once(&self) -> usize {
        6
    }

    fn run(&self, place: &Fixture<'_>, part: &str, case: Option<&str>, without: &[String]) -> Result<Ran> {
        let limit = match case {
            Some(_) => CASE_LIMIT,
            None if LONG.contains(&part) => LONG_LIMIT,
            None => LIMIT,
        };
        // Its own time-out prints the stack of every thread.
        let mut arguments = vec!["-m".to_owned(), "test".to_owned(), "-v".to_owned()];
        arguments.push(format!("--timeout={}", limit.as_secs()));
        // "network" also lets test_socketserver run; what wants the Internet finds none, in both places.
        arguments.push("--use=all,-urlfetch,-cpu,-largefile".to_owned());
        arguments.push("--junit-xml=results.xml".to_owned());
        arguments.push(format!("--ignore={NOT_HERE}"));
        arguments.extend(without.iter().map(|case| format!("--ignore={case}")));
        let wanted = part.split(' ').skip(1);
        arguments.extend(wanted.clone().filter_map(|word| Some(format!("--ignore={}", word.strip_prefix('-')?))));
        match case {
            Some(case) => arguments.push(format!("--match={case}")),
            None => arguments.extend(wanted.filter_map(|word| Some(format!("--match={}", word.strip_prefix('+')?)))),
        }
        // The runner takes its own modules by short names, those of a package by their full ones.
        let module = module(part);
        arguments.push(if module.contains('.') { format!("test.{module}") } else { module.to_owned() });
        let job =
            Job { program: &self.interpreter, arguments, directory: None, limit: limit + Duration::from_secs(10) };
        place.run(&job)
    }

    fn read(&self, ran: &Ran) -> Result<Report> {
        let results = std::fs::read_to_string(ran.folder.join("results.xml")).unwrap_or_default();
        if let Some(outcomes) = junit(&results) {
            return Ok(Report { outcomes, hung: Vec::new() });
        }
        let Some(case) = last_started(&ran.log) else {
            bail!("Python's test runner reported nothing:\n{}", ran.tail(20))
        };
        let mut outcomes = Outcomes::default();
        outcomes.note(&case, Outcome::Unfinished);
        Ok(Report { outcomes, hung: vec![case] })
    }
}

/// The outcomes in a JUnit report as Python's test runner writes it; `None` when it is not whole.
fn junit(text: &str) -> Option<Outcomes> {
    let body = text.trim_end().strip_suffix("</testsuites>")?;
    let mut outcomes = Outcomes::default();
    for element in body.split("<testcase ").skip(1) {
        let name = element.strip_prefix("name=\"")?.split('"').next()?;
        let has = |child: &str| element.contains(&format!("<{child}>")) || element.contains(&format!("<{child} "));
        let outcome = match () {
            () if has("failure") || has("error") => Outcome::Failed,
            () if has("skipped") => Outcome::Skipped,
            () => Outcome::Passed,
        };
        outcomes.note(&unescape(name), outcome);
    }
    Some(outcomes)
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

/// The test case that was running when the log ended: "name (module.Class.name) ...", perhaps with its first line of
/// documentation below.
fn last_started(log: &str) -> Option<String> {
    let mut last = None;
    for line in log.lines() {
        let Some((name, rest)) = line.split_once(" (test.") else { continue };
        let Some((id, _)) = rest.split_once(')') else { continue };
        if name.starts_with("test") && !name.contains(' ') {
            last = Some(format!("test.{id}"));
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_of_python_is_read() {
        let text = "<testsuites tests=\"3\"><testsuite><testcase name=\"test.a.B.test_c\" status=\"run\" time=\"0\" />\
            <testcase name=\"test.a.B.test_d\" status=\"run\"><skipped>no &lt;x&gt;</skipped></testcase>\
            <testcase name=\"test.a.B.test_e &quot;q&quot;\"><failure type=\"AssertionError\">1 &lt; 0</failure></testcase>\
            </testsuite></testsuites>\n";
        let outcomes = junit(text).unwrap();
        assert_eq!(outcomes.to_string(), "3 test cases, 1 passed, 1 failed, 1 skipped");
        assert_eq!(outcomes.of("test.a.B.test_e \"q\""), Some(Outcome::Failed));
        assert!(junit(&text[..text.len() - 20]).is_none());
    }

    #[test]
    fn the_case_that_hangs_is_named() {
        let log = "test_a (test.test_ssl.B.test_a) ... ok\ntest_c (test.test_ssl.B.test_c)\nWaits. ... Timeout (0:01:00)!\n\
            Thread 0x1 (most recent call first):\n  File \"x.py\", line 3 in accept\n";
        assert_eq!(last_started(log).as_deref(), Some("test.test_ssl.B.test_c"));
        assert_eq!(last_started("no tests ran"), None);
    }
}
