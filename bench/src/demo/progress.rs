//! Lines that tell a person what happens now: one a step, with what it found below.

use std::time::Instant;

use crate::report::words;
use crate::sample::Sample;

#[derive(Debug)]
pub(super) struct Progress {
    steps: u32,
    done: u32,
    start: Instant,
}

impl Progress {
    pub(super) fn new(steps: u32) -> Self {
        Self { steps, done: 0, start: Instant::now() }
    }

    /// Announces the next step, with the seconds since the start.
    pub(super) fn step(&mut self, what: &str) {
        self.done += 1;
        println!("[{}/{}] {:>3.0} s  {what} ...", self.done, self.steps, self.start.elapsed().as_secs_f64());
    }

    /// What a step found.
    #[expect(clippy::unused_self, reason = "a detail belongs to a step that was announced")]
    pub(super) fn detail(&self, text: &str) {
        println!("             {text}");
    }

    pub(super) fn lines(&self, text: &str) {
        text.lines().for_each(|line| self.detail(line));
    }

    pub(super) fn sample(&self, side: &str, sample: &Sample) {
        let rate = words::thousands(sample.requests_per_second);
        let (cpu, median) = (words::duration(sample.cpu_us), words::duration(sample.p50_us));
        self.detail(&format!("{side}: {rate:>7} requests/s, {cpu} CPU each, median {median}"));
    }
}
