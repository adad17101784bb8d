//! Prometheus text, made at each scrape from what the capabilities show: nothing is counted twice, nothing can drift.

use std::sync::Arc;

use meshaccel_model::View;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

/// The text of one scrape.
pub fn render(views: &[Arc<dyn View>]) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("meshaccel");
    for view in views {
        registry.register_collector(Box::new(Scrape(view.clone())));
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape(Arc<dyn View>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.metrics(&mut encoder)
    }
}
