//! The finished rows as a picture.

use anyhow::Result;

use super::{Comparison, Settings, Spread, Variant};
use crate::report::ratios::{Chart, Range, Row};

/// What is drawn, with a title that says the finding.
pub fn chart(settings: &Settings, comparisons: &[Comparison]) -> Result<Chart> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    let processors = std::thread::available_parallelism()?;
    let (rounds, seconds) = (settings.rounds, settings.seconds);
    Ok(Chart {
        title: title(comparisons),
        conditions: format!(
            "Operations per second as a ratio to plain TCP: {rounds} rounds of windows of {seconds} s in turns, \
             {processors} processors, Linux {kernel}"
        ),
        rows: comparisons.iter().map(row).collect(),
    })
}

fn title(comparisons: &[Comparison]) -> String {
    let reached = comparisons.iter().filter(|comparison| comparison.reached() == Some(true)).count();
    let below = comparisons.iter().filter_map(|c| c.rate(Variant::Meshaccel)).filter(|rate| rate.median < 0.97).count();
    let slower = match below {
        0 => "none slower".to_owned(),
        1 => "1 slower".to_owned(),
        n => format!("{n} slower"),
    };
    format!("meshaccel against plain TCP: {reached} of {} goals reached, {slower}", comparisons.len())
}

fn row(comparison: &Comparison) -> Row {
    Row {
        label: comparison.label.clone(),
        group: comparison.group.to_owned(),
        goal: comparison.wanted(),
        reached: comparison.reached() == Some(true),
        meshaccel: comparison.rate(Variant::Meshaccel).map(range),
        cpu: comparison.cpu(Variant::Meshaccel).map(|cpu| cpu.median),
        published: comparison.rate(Variant::Published).map(range),
        unix: comparison.rate(Variant::Unix).map(|rate| rate.median),
    }
}

fn range(spread: Spread) -> Range {
    let Spread { low, lower_quartile, median, upper_quartile, high } = spread;
    Range { low, lower_quartile, median, upper_quartile, high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::result::tests::comparison;

    #[test]
    fn the_title_says_what_was_reached() {
        let row = |rate: u64| comparison(None, &[(Variant::Plain, &[100]), (Variant::Meshaccel, &[rate])]);
        assert_eq!(title(&[row(170), row(98)]), "meshaccel against plain TCP: 2 of 2 goals reached, none slower");
        assert_eq!(title(&[row(170), row(90)]), "meshaccel against plain TCP: 1 of 2 goals reached, 1 slower");
    }
}
