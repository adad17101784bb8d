//! What a capability shows of itself to whoever asks the daemon: metrics, a page, its part of the status.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use serde_json::{Map, Value};

/// One capability as it is seen from outside, at any time and from any thread, also while nothing of it is installed.
pub trait View: fmt::Debug + Send + Sync {
    /// Its metrics, without the prefix `meshaccel_`, as they are now. Nothing is kept between two calls: the kernel counts.
    ///
    /// # Errors
    /// When what is installed cannot be read.
    fn metrics(&self, into: &mut DescriptorEncoder<'_>) -> fmt::Result;

    /// Its fields of `/status`. No other capability has one of these names.
    fn status(&self) -> Map<String, Value>;

    /// What its page lists, and where: `("/connections", ...)`. It names pods, and may take seconds to make.
    fn page(&self) -> &'static str;

    /// The rows of that page.
    ///
    /// # Errors
    /// A sentence: nothing is installed, or what is cannot be read.
    fn rows(&self) -> Result<Value, String>;

    /// Why this machine cannot have it, as a sentence.
    fn unsupported(&self) -> Option<String>;
}

/// One metric with one label: `values` are the label's values, and the number of each.
///
/// # Errors
/// When the encoder refuses it.
pub fn family<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&str, u64)],
    metric: impl Fn(u64) -> M,
) -> fmt::Result {
    let mut descriptor = encoder.encode_descriptor(name, help, None, metric(0).metric_type())?;
    for (value, number) in values {
        metric(*number).encode(descriptor.encode_family(&[(label, *value)])?)?;
    }
    Ok(())
}

/// A number that only grows.
#[must_use]
pub fn counter(value: u64) -> ConstCounter<u64> {
    ConstCounter::new(value)
}

/// A number that goes up and down.
#[must_use]
pub fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}
