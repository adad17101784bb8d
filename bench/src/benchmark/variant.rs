//! What is compared with plain TCP, and in which order the windows of a round follow one another.

use serde::Serialize;

/// What carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// TCP, without any program of anybody.
    Plain,
    /// The daemon as it ships; of pods that are not selected, the daemon beside them.
    Meshaccel,
    /// The design that every published system uses, without guards.
    Published,
    /// Unix sockets instead of TCP: the limit of what any bypass could reach.
    Unix,
}

impl Variant {
    pub const ALL: [Self; 4] = [Self::Plain, Self::Meshaccel, Self::Published, Self::Unix];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain TCP",
            Self::Meshaccel => "meshaccel",
            Self::Published => "published design",
            Self::Unix => "Unix sockets",
        }
    }
}

/// The order of a round: each variant comes first, second, ... equally often.
pub fn order(variants: &[Variant], round: usize) -> impl Iterator<Item = Variant> {
    let first = round % variants.len().max(1);
    variants.iter().cycle().skip(first).take(variants.len()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_every_place_once() {
        for place in 0..4 {
            let mut there: Vec<_> =
                (0..4).map(|round| order(&Variant::ALL, round).nth(place).unwrap().as_str()).collect();
            there.sort_unstable();
            there.dedup();
            assert_eq!(there.len(), 4, "place {place}");
        }
        assert_eq!(order(&Variant::ALL, 5).collect::<Vec<_>>(), order(&Variant::ALL, 1).collect::<Vec<_>>());
        assert_eq!(order(&[], 3).count(), 0);
    }
}
