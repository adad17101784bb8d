//! When a report is written: soon after something has changed, later for mere counts, and now and then as a sign of life.
//! Pure: the clock is handed in.

use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use meshaccel_crds::NodeAccelerationStatus;

/// Between two reports, whatever happens.
const SHORTEST: Duration = Duration::from_secs(1);
/// Mere counts of pods' connections and bytes.
const COUNTS: Duration = Duration::from_secs(15);
/// Without any change.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// What was written last, and when.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<(Instant, NodeAccelerationStatus)>,
}

impl Pace {
    /// Is this to be written now?
    pub fn is_due(&self, report: &NodeAccelerationStatus, now: Instant) -> bool {
        let Some((written, last)) = &self.last else { return true };
        let since = now.duration_since(*written);
        let pause = if what_matters(report) != what_matters(last) {
            SHORTEST
        } else if *report == (NodeAccelerationStatus { reported_at: report.reported_at.clone(), ..last.clone() }) {
            SIGN_OF_LIFE
        } else {
            COUNTS
        };
        since >= pause
    }

    /// It was.
    pub fn written(&mut self, report: NodeAccelerationStatus, now: Instant) {
        self.last = Some((now, report));
    }
}

/// The report without its counts, which change all the time.
fn what_matters(report: &NodeAccelerationStatus) -> NodeAccelerationStatus {
    let mut report = report.clone();
    report.reported_at = None::<Time>;
    report.connections = 0;
    for share in &mut report.accelerations {
        share.connections = 0;
        share.observed_connections = 0;
        share.redirected_bytes = 0;
        for conflict in &mut share.conflicts {
            conflict.pods = 0;
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use meshaccel_crds::{Phase, Share};

    use super::*;

    fn report(phase: Phase, connections: i64) -> NodeAccelerationStatus {
        let share = Share { name: "a".into(), phase, connections, ..Share::default() };
        NodeAccelerationStatus { connections, accelerations: vec![share], ..NodeAccelerationStatus::default() }
    }

    #[test]
    fn changes_are_told_soon_counts_later_and_life_now_and_then() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        assert!(pace.is_due(&report(Phase::Pending, 0), start));
        pace.written(report(Phase::Pending, 0), start);
        for (new, pause) in [
            (report(Phase::Programmed, 0), SHORTEST),
            (report(Phase::Pending, 5), COUNTS),
            (report(Phase::Pending, 0), SIGN_OF_LIFE),
        ] {
            assert!(!pace.is_due(&new, start + pause - Duration::from_millis(1)), "{new:?}");
            assert!(pace.is_due(&new, start + pause), "{new:?}");
        }
    }
}
