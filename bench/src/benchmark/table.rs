//! The table on the terminal: a row a pattern, ratios against plain TCP.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use meshaccel_e2e_load::exchange::Window;

use super::Variant;
use super::redirection::Redirection;
use super::result::Comparison;
use crate::report::words;

const HEADER: [&str; 11] = [
    "",
    "plain TCP /s",
    "meshaccel",
    "range",
    "goal",
    "",
    "redirected",
    "published",
    "Unix",
    "CPU plain",
    "CPU meshaccel",
];

/// All rows, under the headings of their groups.
pub fn render(comparisons: &[Comparison]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(HEADER);
    let mut group = "";
    for comparison in comparisons {
        if comparison.group != group {
            group = comparison.group;
            table.add_row([group]);
        }
        table.add_row(cells(comparison));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "{table}\nRatios against plain TCP: medians over rounds, each of two windows of the same round; range is their \
         lowest and highest.\nCPU is the busy time of the whole machine for one operation. \"redirected\" is the share of \
         bytes that the daemon's counters saw go past the stack."
    )
}

fn cells(comparison: &Comparison) -> Vec<String> {
    let ratio = |variant| match comparison.rate(variant) {
        Some(spread) => words::ratio(spread.median),
        None if comparison.of(variant).is_some_and(|series| !series.broken.is_empty()) => "broke".to_owned(),
        None => String::new(),
    };
    let range = comparison.rate(Variant::Meshaccel).map(|s| format!("{:.2}-{:.2}", s.low, s.high));
    let goal = comparison.goal.and_then(|goal| goal.cpu).map_or(String::new(), |cpu| format!(", CPU <= {cpu:.2}"));
    let reached = comparison.reached().map_or("", |reached| if reached { "reached" } else { "missed" });
    let share = comparison.redirection.as_ref().map(Redirection::share);
    let cpu = |variant| comparison.median(variant, Window::cpu_us).map(words::small_duration).unwrap_or_default();
    let cpu_ratio = comparison.cpu(Variant::Meshaccel).map(|s| format!(" ({:.2})", s.median)).unwrap_or_default();
    vec![
        format!("  {}", comparison.label),
        comparison.median(Variant::Plain, Window::per_second).map(words::thousands).unwrap_or_default(),
        ratio(Variant::Meshaccel),
        range.unwrap_or_default(),
        format!("{:.2}{goal}", comparison.wanted()),
        reached.to_owned(),
        share.map(|share| format!("{:.1} %", 100.0 * share)).unwrap_or_default(),
        ratio(Variant::Published),
        ratio(Variant::Unix),
        cpu(Variant::Plain),
        format!("{}{cpu_ratio}", cpu(Variant::Meshaccel)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::catalogue::Goal;
    use crate::benchmark::result::tests::comparison;

    #[test]
    fn a_row_says_ratio_range_and_goal() {
        let goal = Some(Goal { rate: 1.7, cpu: None });
        let rows = [
            (Variant::Plain, &[100_000, 100_000][..]),
            (Variant::Meshaccel, &[170_000, 190_000]),
            (Variant::Unix, &[250_000, 250_000]),
        ];
        let text = render(&[comparison(goal, &rows)]);
        for words in ["Two processes", "64 B", "100,000", "1.80 ×", "1.70-1.90", "reached", "2.50 ×", "10.0 µs"] {
            assert!(text.contains(words), "{words} is missing:\n{text}");
        }
    }
}
