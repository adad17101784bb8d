//! Five numbers that say how a set of measurements lies.

use serde::Serialize;

/// Lowest, quartiles, highest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub low: f64,
    pub lower_quartile: f64,
    pub median: f64,
    pub upper_quartile: f64,
    pub high: f64,
}

impl Spread {
    /// `None` without a value. Quartiles between two values are interpolated.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (sorted.len() - 1) as f64;
            let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        (!sorted.is_empty()).then(|| Self {
            low: at(0.0),
            lower_quartile: at(0.25),
            median: at(0.5),
            upper_quartile: at(0.75),
            high: at(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_even_one_and_none() {
        let spread = Spread::of([3.0, 1.0, 2.0, 5.0, 4.0].into_iter()).unwrap();
        let all = [spread.low, spread.lower_quartile, spread.median, spread.upper_quartile, spread.high];
        assert_eq!(all, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(Spread::of([1.0, 2.0].into_iter()).unwrap().median, 1.5);
        assert_eq!(Spread::of([7.0].into_iter()).unwrap().high, 7.0);
        assert_eq!(Spread::of(std::iter::empty()), None);
        assert_eq!(Spread::of([f64::NAN].into_iter()), None);
    }
}
