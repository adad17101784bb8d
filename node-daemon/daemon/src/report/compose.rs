//! From what the daemon and its capabilities see to the status of its NodeAcceleration. No clock, no I/O: times, and what the last report
//! said, are the reporter's matter.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use meshaccel_crds::conditions::node as reasons;
use meshaccel_crds::{NodeAccelerationStatus, rules};
use meshaccel_model::{Capability, condition, cut};

/// The report. `lost`: for how long the API server has not answered, and how.
#[must_use]
pub fn compose(
    version: &str,
    kernel: &str,
    capabilities: &[Box<dyn Capability>],
    lost: Option<&(Duration, String)>,
) -> NodeAccelerationStatus {
    let mut report = NodeAccelerationStatus {
        version: version.to_owned(),
        kernel: cut(kernel, rules::MAX_KERNEL),
        ..NodeAccelerationStatus::default()
    };
    for capability in capabilities {
        capability.report(&mut report);
    }
    report.conditions.push(current(lost));
    report
}

fn current(lost: Option<&(Duration, String)>) -> Condition {
    match lost {
        None => condition(reasons::CURRENT, "True", reasons::CONNECTED, "the API server answers"),
        // Without the time, which would make each report another one; the transition has it.
        Some((_, error)) => condition(reasons::CURRENT, "False", reasons::DISCONNECTED, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_the_api_server_answers_is_told_without_the_time() {
        let told = |lost| {
            let report = compose("1", "6.18", &[], lost);
            report.conditions.into_iter().map(|c| (c.type_, c.status, c.reason, c.message)).collect::<Vec<_>>()
        };
        let expect = |words: [&str; 4]| {
            let [kind, status, reason, message] = words.map(str::to_owned);
            vec![(kind, status, reason, message)]
        };
        assert_eq!(told(None), expect(["Current", "True", "Connected", "the API server answers"]));
        let lost = (Duration::from_secs(5), "refused".to_owned());
        assert_eq!(told(Some(&lost)), expect(["Current", "False", "Disconnected", "refused"]));
    }
}
