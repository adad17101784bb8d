//! What was measured, and the JSON of it.

use meshaccel_e2e_load::exchange::Window;
use serde::Serialize;

use super::catalogue::{FLOOR, Goal};
use super::redirection::Redirection;
use super::spread::Spread;
use super::variant::Variant;

/// One window, and what the daemon said of it.
#[derive(Debug, Clone)]
pub struct Measured {
    pub window: Window,
    pub redirection: Option<Redirection>,
}

/// All windows of one variant.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    pub variant: Variant,
    pub windows: Vec<Window>,
    /// Of the unguarded design: why a window of it has no result.
    pub broken: Vec<String>,
}

/// One row of the benchmark.
#[derive(Debug, Clone)]
pub struct Comparison {
    pub id: String,
    pub group: &'static str,
    pub label: String,
    pub unit: &'static str,
    pub goal: Option<Goal>,
    pub series: Vec<Series>,
    pub redirection: Option<Redirection>,
}

impl Comparison {
    pub fn of(&self, variant: Variant) -> Option<&Series> {
        self.series.iter().find(|series| series.variant == variant)
    }

    /// A variant over plain TCP, round by round: what drifts slowly on a machine moves both windows of a round alike.
    pub fn ratio(&self, variant: Variant, value: fn(&Window) -> f64) -> Option<Spread> {
        let (plain, other) = (self.of(Variant::Plain)?, self.of(variant)?);
        Spread::of(plain.windows.iter().zip(&other.windows).map(|(plain, other)| value(other) / value(plain)))
    }

    pub fn rate(&self, variant: Variant) -> Option<Spread> {
        self.ratio(variant, Window::per_second)
    }

    pub fn cpu(&self, variant: Variant) -> Option<Spread> {
        self.ratio(variant, Window::cpu_us)
    }

    /// The median of a column of one variant.
    pub fn median(&self, variant: Variant, value: fn(&Window) -> f64) -> Option<f64> {
        Spread::of(self.of(variant)?.windows.iter().map(value)).map(|spread| spread.median)
    }

    /// The rate that meshaccel is to reach: the row's own goal, or what nothing may fall below.
    pub fn wanted(&self) -> f64 {
        self.goal.map_or(FLOOR, |goal| goal.rate)
    }

    /// Is that so? `None` without a result.
    pub fn reached(&self) -> Option<bool> {
        let (rate, cpu) = (self.rate(Variant::Meshaccel)?.median, self.cpu(Variant::Meshaccel)?.median);
        Some(rate >= self.wanted() && self.goal.and_then(|goal| goal.cpu).is_none_or(|most| cpu <= most))
    }

    pub fn json(&self) -> serde_json::Value {
        let variants = self.series.iter().map(|series| {
            serde_json::json!({
                "variant": series.variant,
                "per_second": self.median(series.variant, Window::per_second),
                "cpu_us": self.median(series.variant, Window::cpu_us),
                "rate_ratio": self.rate(series.variant),
                "cpu_ratio": self.cpu(series.variant),
                "mismatches": series.windows.iter().map(|window| window.mismatches).sum::<u64>(),
                "broken": series.broken,
                "windows": series.windows,
            })
        });
        serde_json::json!({
            "id": self.id,
            "group": self.group,
            "label": self.label,
            "unit": self.unit,
            "goal": { "rate": self.wanted(), "cpu": self.goal.and_then(|goal| goal.cpu) },
            "reached": self.reached(),
            "variants": variants.collect::<Vec<_>>(),
            "redirection": self.redirection,
            "redirected_share": self.redirection.as_ref().map(Redirection::share),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn window(per_second: u64, cpu_us: f64) -> Window {
        let busy_us = cpu_us * per_second as f64;
        let (bytes, mismatches) = (0, 0);
        Window { operations: per_second, seconds: 1.0, busy_us, bytes, mismatches, p50_us: None, p99_us: None }
    }

    pub(crate) fn comparison(goal: Option<Goal>, rates: &[(Variant, &[u64])]) -> Comparison {
        let series = rates.iter().map(|(variant, rates)| Series {
            variant: *variant,
            windows: rates.iter().map(|&rate| window(rate, 1e6 / rate as f64)).collect(),
            broken: Vec::new(),
        });
        Comparison {
            id: "pair/ask-64".into(),
            group: "Two processes",
            label: "request/response, 64 B".into(),
            unit: "requests",
            goal,
            series: series.collect(),
            redirection: None,
        }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine became twice as slow in the last round: the ratio did not.
        let rows = [(Variant::Plain, &[100, 100, 50][..]), (Variant::Meshaccel, &[180, 160, 85])];
        let comparison = comparison(None, &rows);
        let spread = comparison.rate(Variant::Meshaccel).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (1.6, 1.7, 1.8));
        assert_eq!(comparison.rate(Variant::Unix), None);
    }

    #[test]
    fn a_goal_has_two_halves_and_nothing_may_fall_below_the_floor() {
        let rows = [(Variant::Plain, &[100][..]), (Variant::Meshaccel, &[140])];
        let reached = |rate, cpu| comparison(Some(Goal { rate, cpu }), &rows).reached();
        assert_eq!(reached(1.35, Some(0.75)), Some(true));
        assert_eq!(reached(1.35, Some(0.7)), Some(false));
        assert_eq!(reached(1.45, None), Some(false));
        let slower = [(Variant::Plain, &[100][..]), (Variant::Meshaccel, &[96])];
        assert_eq!(comparison(None, &slower).reached(), Some(false));
    }
}
