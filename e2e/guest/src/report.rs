//! What a guest hands over: JSON at the beginning of a disk, the rest of which is zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::found::Found;

/// What is to be seen on a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Everything works.
    Works,
    /// The kernel cannot do it: one sentence says so, and nothing is attached.
    Refused,
}

impl Expect {
    /// The kernel's parameter that tells process 1, which finds it in its environment.
    pub const PARAMETER: &str = "meshaccel_expect";

    /// Its value.
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Refused => "refused",
        }
    }
}

/// One step of the story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub seconds: f64,
    /// What was seen; of a failed step, what went wrong.
    pub said: String,
    pub passed: bool,
}

/// Everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// `uname -r`, as the guest sees it.
    pub release: String,
    pub steps: Vec<Step>,
    /// The story came to its end, with or without a failed step.
    pub ended: bool,
    /// What `probe` found.
    pub found: Option<Found>,
    /// Facts for the table, by name.
    pub facts: BTreeMap<String, String>,
    /// What the daemon wrote.
    pub log: String,
    /// What the kernel wrote.
    pub messages: String,
}

impl Report {
    /// Why this is a failure; `None`: all is well.
    pub fn failure(&self) -> Option<String> {
        let failed = self.steps.iter().find(|step| !step.passed);
        if let Some(step) = failed {
            return Some(format!("{}: {}", step.name, step.said));
        }
        if !self.ended {
            let last = self.steps.last().map_or("nothing", |step| step.name.as_str());
            return Some(format!("the story has no end; its last step was: {last}"));
        }
        let complaints = meshaccel_e2e_harness::kernel_log::complaints(&self.messages);
        (!complaints.is_empty()).then(|| format!("the kernel complained:\n{}", complaints.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(passed: bool) -> Step {
        Step { name: "off".into(), seconds: 1.0, said: "still redirected".into(), passed }
    }

    #[test]
    fn only_a_story_with_an_end_good_steps_and_a_quiet_kernel_is_well() {
        let well =
            Report { steps: vec![step(true)], ended: true, messages: "[ 0.1] Linux".into(), ..Report::default() };
        assert_eq!(well.failure(), None);
        let failed = Report { steps: vec![step(true), step(false)], ..well.clone() };
        assert_eq!(failed.failure().unwrap(), "off: still redirected");
        assert!(Report { ended: false, ..well.clone() }.failure().unwrap().contains("no end"));
        let messages = "[ 9.1] WARNING: CPU: 0 PID: 1 at net/core/skmsg.c:1".into();
        assert!(Report { messages, ..well }.failure().unwrap().contains("skmsg.c"));
    }
}
