//! What redirection shows: its status, which the daemon's loop writes, and what the kernel counted, made anew for who asks.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshaccel_abi::redirect::LAYOUT;
use meshaccel_bpf::pins::Layout;
use meshaccel_model::View;
use meshaccel_model::view::{counter, family, gauge};
use meshaccel_service::Chain;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use serde_json::{Map, Value};

use crate::connections;
use crate::kernel::maps::Maps;
use crate::kernel::programs::BUILT_WITH;
use crate::node::PodState;
use crate::status::Status;

/// The status, shared. A std mutex: it is held for a copy or a change.
#[derive(Clone, Debug)]
pub struct Shown {
    layout: Layout,
    status: Arc<Mutex<Status>>,
}

impl Shown {
    /// Of what is, or will be, pinned there.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self { layout, status: Arc::default() }
    }

    /// Changes the status.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status());
    }

    /// The status, locked: for a moment.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        // Whoever panicked while it was held had written plain values: they are still good to show.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View for Shown {
    fn metrics(&self, into: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let status = Self::status(self).clone();
        known(into, &status)?;
        match Maps::open(&self.layout) {
            Ok(maps) => counted(into, &maps),
            // Uninstalled: there is nothing to count.
            Err(_) => Ok(()),
        }
    }

    fn status(&self) -> Map<String, Value> {
        let status = Self::status(self).clone();
        let mut fields = match serde_json::to_value(status) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.insert("layout".into(), LAYOUT.into());
        fields.insert("programs_built_with".into(), BUILT_WITH.into());
        fields
    }

    fn page(&self) -> &'static str {
        "/connections"
    }

    /// It goes through all descriptors of the node.
    fn rows(&self) -> Result<Value, String> {
        let rows = connections::rows(&self.layout).map_err(|error| Chain(&error).to_string())?;
        serde_json::to_value(rows).map_err(|error| error.to_string())
    }

    fn unsupported(&self) -> Option<String> {
        Self::status(self).unsupported.as_ref().map(ToString::to_string)
    }
}

fn known(encoder: &mut DescriptorEncoder<'_>, status: &Status) -> fmt::Result {
    let sockets = status.connections;
    let states = [("recorded", sockets.recorded), ("paired", sockets.paired), ("promoted", sockets.promoted)];
    let help = "Recorded sockets (two a connection) as of the last full resync";
    family(encoder, "connections", help, "state", &states, gauge)?;
    let count = |state| status.pods.iter().filter(|pod| pod.state == state).count() as u64;
    let pods = PodState::ALL.map(|state| (state.as_str(), count(state)));
    family(encoder, "pods", "Pods that some MeshAcceleration matches", "state", &pods, gauge)?;
    let problems = [("objects", status.problems.len() as u64)];
    let help = "Things wrong with the objects; meshaccel-node status names them";
    family(encoder, "problems", help, "in", &problems, gauge)?;
    let unsupported: Vec<_> = status.unsupported.iter().map(|cause| (cause.reason(), 1)).collect();
    let help = "1: nothing can be accelerated here, for this reason";
    family(encoder, "unsupported", help, "reason", &unsupported, gauge)?;
    let resync = ConstGauge::new(status.last_resync_us as f64 / 1e6);
    let help = "Duration of the last full resync of all recorded sockets";
    resync.encode(encoder.encode_descriptor("last_resync", help, Some(&Unit::Seconds), resync.metric_type())?)
}

fn counted(encoder: &mut DescriptorEncoder<'_>, maps: &Maps) -> fmt::Result {
    let counters = maps.counters().map_err(|_| fmt::Error)?;
    let messages: Vec<_> = counters.iter().map(|(reason, count)| (reason.as_str(), count.messages)).collect();
    let bytes: Vec<_> = counters.iter().map(|(reason, count)| (reason.as_str(), count.bytes)).collect();
    let of = |what: &str| format!("{what} of promoted sockets: redirected, or passed to TCP and why");
    family(encoder, "messages", &of("Messages"), "reason", &messages, counter)?;
    family(encoder, "bytes", &of("Bytes"), "reason", &bytes, counter)?;
    let events = maps.events().map_err(|_| fmt::Error)?;
    let events: Vec<_> = events.iter().map(|(event, number)| (event.as_str(), *number)).collect();
    family(encoder, "events", "What happened to sockets", "event", &events, counter)
}
