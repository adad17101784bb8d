//! The steps of a story: a line each on the console while it runs, and all of them in the report, which is written anew
//! after each so that it tells where a story ended that did not come to its end.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::report::{Report, Step};

/// Where the report grows.
pub const REPORT: &str = "/run/meshaccel-report.json";

/// A story that is being told.
#[derive(Debug)]
pub struct Steps {
    pub report: Report,
    failed: bool,
}

impl Steps {
    pub fn new() -> Result<Self> {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned();
        Ok(Self { report: Report { release, ..Report::default() }, failed: false })
    }

    /// Does one step, unless an earlier one failed: what it left would only blame the next. `body` says what was seen.
    pub fn step<T>(&mut self, name: &str, body: impl FnOnce() -> Result<(T, String)>) -> Option<T> {
        if self.failed {
            return None;
        }
        println!("meshaccel: {name} ...");
        self.write(name);
        let start = Instant::now();
        let result = body();
        let seconds = start.elapsed().as_secs_f64();
        let (done, said) = match result {
            Ok((done, said)) => (Some(done), said),
            Err(error) => (None, format!("{error:#}")),
        };
        self.failed = done.is_none();
        println!("meshaccel: {name}: {} ({seconds:.1} s) {said}", if self.failed { "FAILED" } else { "ok" });
        self.report.steps.push(Step { name: name.to_owned(), seconds, said, passed: !self.failed });
        self.write("");
        done
    }

    /// A fact for the table.
    pub fn fact(&mut self, name: &str, value: impl ToString) {
        self.report.facts.insert(name.to_owned(), value.to_string());
    }

    /// The end, with all that a failure is explained by.
    pub fn end(mut self, log: String) -> bool {
        self.report.ended = true;
        self.report.log = log;
        self.write("");
        !self.failed
    }

    /// `under_way`: a step that has begun, which is in the report as long as nothing better is known of it.
    fn write(&self, under_way: &str) {
        let mut report = self.report.clone();
        if !under_way.is_empty() {
            let said = "it did not end".to_owned();
            report.steps.push(Step { name: under_way.to_owned(), seconds: 0.0, said, passed: false });
        }
        let text = serde_json::to_vec(&report).unwrap_or_default();
        let part = Path::new(REPORT).with_extension("part");
        if let Err(error) = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, REPORT)) {
            println!("meshaccel: the report cannot be written: {error}");
        }
    }
}
