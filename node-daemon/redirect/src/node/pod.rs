//! What became of the pods that a selection names, for status, metrics and reports.

use meshaccel_model::PodName;
use serde::Serialize;

use crate::pods::{Slot, SlotTally};
use crate::select::{SelectedPod, SkippedPod};

/// What became of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodStatus {
    pub pod: PodName,
    /// Name of the MeshAcceleration.
    pub acceleration: String,
    pub state: PodState,
    /// Why, where there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// Sockets of the pod as of the last scan.
    pub sockets: SlotTally,
}

/// State of a selected or skipped pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PodState {
    /// Its connections are redirected where that gains.
    Accelerated,
    /// Its connections are watched and left on TCP.
    Observed,
    /// Selected with `redirect.enabled: false`.
    Disabled,
    /// Matched and left alone.
    Skipped,
    /// Selected, but it cannot be found on this machine (yet).
    Unreachable,
    /// Selected, and being started or stopped: it has no sandbox now.
    Expected,
}

impl PodState {
    /// All states, for metrics.
    pub const ALL: [Self; 6] =
        [Self::Accelerated, Self::Observed, Self::Disabled, Self::Skipped, Self::Unreachable, Self::Expected];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accelerated => "accelerated",
            Self::Observed => "observed",
            Self::Disabled => "disabled",
            Self::Skipped => "skipped",
            Self::Unreachable => "unreachable",
            Self::Expected => "expected",
        }
    }
}

impl PodStatus {
    /// Of a pod that was found.
    pub(super) fn located(pod: &SelectedPod) -> Self {
        let state = match (pod.settings.enabled, pod.settings.observe) {
            (false, _) => PodState::Disabled,
            (true, true) => PodState::Observed,
            (true, false) => PodState::Accelerated,
        };
        Self::new(&pod.namespace, &pod.name, &pod.acceleration, state, None)
    }

    /// Of one that was not.
    pub(super) fn absent(pod: &SelectedPod, state: PodState, message: String) -> Self {
        Self::new(&pod.namespace, &pod.name, &pod.acceleration, state, Some(message))
    }

    /// Of one that is left alone.
    pub(super) fn skipped(pod: &SkippedPod) -> Self {
        Self::new(&pod.namespace, &pod.name, &pod.acceleration, PodState::Skipped, Some(pod.message.clone()))
    }

    fn new(namespace: &str, name: &str, acceleration: &str, state: PodState, message: Option<String>) -> Self {
        let (pod, acceleration) = (pod_name(namespace, name), acceleration.to_owned());
        Self { pod, acceleration, state, message, slot: None, sockets: SlotTally::default() }
    }
}

pub(super) fn pod_name(namespace: &str, name: &str) -> PodName {
    PodName { namespace: namespace.to_owned(), name: name.to_owned() }
}
