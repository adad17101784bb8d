//! Prometheus text, made at each scrape from what the kernel counted: nothing is counted twice, nothing can drift.

use meshaccel_bpf::pins::Layout;
use meshaccel_redirect::kernel::maps::Maps;
use meshaccel_redirect::node::PodState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::status::{Shared, Status};

/// The text of one scrape.
pub fn render(layout: &Layout, status: &Shared) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("meshaccel");
    registry.register_collector(Box::new(Scrape { layout: layout.clone(), status: status.clone() }));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape {
    layout: Layout,
    status: Shared,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.state(&mut encoder, &self.status.get())?;
        match Maps::open(&self.layout) {
            Ok(maps) => counted(&mut encoder, &maps),
            // Uninstalled: there is nothing to count.
            Err(_) => Ok(()),
        }
    }
}

impl Scrape {
    fn state(&self, encoder: &mut DescriptorEncoder<'_>, status: &Status) -> Result<(), std::fmt::Error> {
        let sockets = status.redirect.connections;
        let states = [("recorded", sockets.recorded), ("paired", sockets.paired), ("promoted", sockets.promoted)];
        family(
            encoder,
            "connections",
            "Recorded sockets (two a connection) as of the last full resync",
            "state",
            &states,
            gauge,
        )?;
        let pods = PodState::ALL
            .map(|state| (state.as_str(), status.redirect.pods.iter().filter(|p| p.state == state).count() as u64));
        family(encoder, "pods", "Pods that some MeshAcceleration matches", "state", &pods, gauge)?;
        let problems = [("objects", status.redirect.problems.len() as u64)];
        family(
            encoder,
            "problems",
            "Things wrong with the objects; meshaccel-node status names them",
            "in",
            &problems,
            gauge,
        )?;
        let unsupported = status.redirect.unsupported.iter().map(|cause| (cause.reason(), 1)).collect::<Vec<_>>();
        family(
            encoder,
            "unsupported",
            "1: nothing can be accelerated here, for this reason",
            "reason",
            &unsupported,
            gauge,
        )?;
        let resync = ConstGauge::new(status.redirect.last_resync_us as f64 / 1e6);
        let descriptor = encoder.encode_descriptor(
            "last_resync",
            "Duration of the last full resync of all recorded sockets",
            Some(&Unit::Seconds),
            resync.metric_type(),
        )?;
        resync.encode(descriptor)
    }
}

fn counted(encoder: &mut DescriptorEncoder<'_>, maps: &Maps) -> Result<(), std::fmt::Error> {
    let counters = maps.counters().map_err(|_| std::fmt::Error)?;
    let messages: Vec<_> = counters.iter().map(|(reason, c)| (reason.as_str(), c.messages)).collect();
    let bytes: Vec<_> = counters.iter().map(|(reason, c)| (reason.as_str(), c.bytes)).collect();
    family(
        encoder,
        "messages",
        "Messages of promoted sockets: redirected, or passed to TCP and why",
        "reason",
        &messages,
        counter,
    )?;
    family(
        encoder,
        "bytes",
        "Bytes of promoted sockets: redirected, or passed to TCP and why",
        "reason",
        &bytes,
        counter,
    )?;
    let events = maps.events().map_err(|_| std::fmt::Error)?;
    let events: Vec<_> = events.iter().map(|(event, n)| (event.as_str(), *n)).collect();
    family(encoder, "events", "What happened to sockets", "event", &events, counter)
}

fn family<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&str, u64)],
    metric: impl Fn(u64) -> M,
) -> Result<(), std::fmt::Error> {
    let mut descriptor = encoder.encode_descriptor(name, help, None, metric(0).metric_type())?;
    for (value, number) in values {
        metric(*number).encode(descriptor.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}

fn counter(value: u64) -> ConstCounter<u64> {
    ConstCounter::new(value)
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}
