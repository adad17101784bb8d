//! Prometheus text: what was written and how that went, and what is known at the time of the scrape.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::apply::write::Failure;
use crate::leader::Leadership;
use crate::observe::Cache;

/// Labels of a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Write {
    kind: &'static str,
    result: &'static str,
}

/// What is counted. Clones count into the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    writes: Family<Write, Counter>,
    plans: Counter,
    /// Nanoseconds that planning took, in all.
    planning: Arc<AtomicU64>,
    registry: Arc<Mutex<Option<Registry>>>,
}

impl Metrics {
    /// Counts into a registry that also looks at the cache when it is read.
    pub fn new(cache: Cache, term: Leadership) -> Self {
        let metrics = Self::default();
        let mut registry = Registry::with_prefix("meshaccel_operator");
        registry.register("writes", "Writes to the API server, by kind and result", metrics.writes.clone());
        registry.register("plans", "Plans made", metrics.plans.clone());
        registry.register_collector(Box::new(Scrape { cache, term, planning: metrics.planning.clone() }));
        *metrics.registry.lock().unwrap_or_else(PoisonError::into_inner) = Some(registry);
        metrics
    }

    /// A write, and how it went.
    pub fn wrote(&self, kind: &'static str, result: &Result<(), Failure>) {
        let result = match result {
            Ok(()) => "ok",
            // It was not sent.
            Err(Failure::Deposed) => return,
            Err(Failure::Outdated) => "outdated",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::Unanswered(_)) => "unanswered",
        };
        self.writes.get_or_create(&Write { kind, result }).inc();
    }

    /// A plan was made.
    pub fn planned(&self, took: Duration, actions: usize) {
        self.plans.inc();
        self.planning.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        tracing::debug!(?took, actions, "Planned");
    }

    /// The text of one scrape.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = registry.as_ref() {
            prometheus_client::encoding::text::encode(&mut text, registry)?;
        }
        Ok(text)
    }
}

/// What is looked at when somebody asks.
struct Scrape {
    cache: Cache,
    term: Leadership,
    planning: Arc<AtomicU64>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (known, cannot_deploy) = {
            let observed = self.cache.lock();
            let known = [
                ("MeshAcceleration", observed.accelerations.len()),
                ("NodeAcceleration", observed.reports.len()),
                ("Node", observed.nodes.len()),
            ];
            (known, observed.cannot_deploy.is_some())
        };
        let objects = ConstGauge::new(0i64);
        let mut descriptor =
            encoder.encode_descriptor("objects", "Objects that are watched", None, objects.metric_type())?;
        for (kind, count) in known {
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(descriptor.encode_family(&[("kind", kind)])?)?;
        }
        let mut flag = |name, help, value: bool| {
            let gauge = ConstGauge::new(i64::from(value));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        flag("leading", "1: this replica writes", self.term.is_valid())?;
        flag(
            "blocked",
            "1: the daemon's objects cannot be written; the status of each MeshAcceleration says why",
            cannot_deploy,
        )?;
        let seconds = Duration::from_nanos(self.planning.load(Ordering::Relaxed)).as_secs_f64();
        let planning = prometheus_client::metrics::counter::ConstCounter::new(seconds);
        let help = "Time that planning took, in all";
        planning.encode(encoder.encode_descriptor("planning", help, Some(&Unit::Seconds), planning.metric_type())?)
    }
}
