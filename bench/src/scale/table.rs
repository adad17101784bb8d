//! What was found, for the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::result::{AGE, BYTES, Busy, Findings, Phase, Size, WRITES_A_SECOND};
use super::story::STEADY;
use crate::report::words;

/// One line a phase, goals, the busy node.
pub fn render(findings: &Findings) -> String {
    let mut text = format!("{}\n", findings.conditions);
    if !findings.sizes.is_empty() {
        text.push_str(&format!("{}\n", phases(&findings.sizes)));
        for size in &findings.sizes {
            text.push_str(&goals(size));
        }
    }
    if let Some(busy) = &findings.busy {
        text.push_str(&format!("\nA node with {} pods: {}\n", busy.pods, busy_line(busy)));
    }
    text
}

fn phases(sizes: &[Size]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "nodes",
        "phase",
        "reports/s",
        "status late by: median",
        "99 %",
        "max",
        "writes/s",
        "CPU",
        "memory",
    ]);
    for size in sizes {
        for phase in &size.phases {
            let rates = &phase.rates;
            let (reports, delays) = match phase.reports {
                0 => (String::new(), [String::new(), String::new(), format!("{:.1} s", size.first_sight_s)]),
                count => (
                    format!("{:.0}", count as f64 / rates.seconds),
                    [phase.delay.median, phase.delay.p99, phase.delay.max].map(|delay| format!("{delay:.1} s")),
                ),
            };
            let [median, p99, max] = delays;
            let (writes, cpu) = (format!("{:.2}", rates.writes_a_second), format!("{:.1} %", rates.cpu_cores * 100.0));
            let nodes = words::thousands(size.nodes as f64);
            table.add_row([
                nodes,
                phase.name.clone(),
                reports,
                median,
                p99,
                max,
                writes,
                cpu,
                words::bytes(rates.peak_bytes),
            ]);
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The three goals of one size.
fn goals(size: &Size) -> String {
    let steady = size.phase(STEADY).cloned().unwrap_or_default();
    let latest = size.phases.iter().map(|phase| phase.delay.max).fold(size.first_sight_s, f64::max);
    let word = |reached: bool| if reached { "reached" } else { "missed" };
    let (writes, nodes) = (steady.rates.writes_a_second, words::thousands(size.nodes as f64));
    format!(
        "{nodes} nodes: {writes:.2} API writes/s in the steady state (goal < {WRITES_A_SECOND}: {}), {} (goal < {}: {}), status \
         at most {latest:.1} s late (goal < {AGE} s: {})\n    an edit is in force everywhere after {:.1} s, a killed leader \
         replaced after {:.1} s\n",
        word(writes < WRITES_A_SECOND),
        words::bytes(size.peak_bytes),
        words::bytes(BYTES),
        word(size.peak_bytes < BYTES),
        word(latest < AGE),
        size.edit_s,
        size.succession_s,
    )
}

/// One phase while it is fresh.
pub fn line(phase: &Phase) -> String {
    let (rates, delay) = (&phase.rates, &phase.delay);
    format!(
        "{}: {:.0} s, {} reports, known after {:.1} s (99 %: {:.1}, max: {:.1}), {:.2} writes/s, CPU {:.1} %, {}",
        phase.name,
        rates.seconds,
        words::thousands(phase.reports as f64),
        delay.median,
        delay.p99,
        delay.max,
        rates.writes_a_second,
        rates.cpu_cores * 100.0,
        words::bytes(rates.peak_bytes),
    )
}

/// The busy node.
pub fn busy_line(busy: &Busy) -> String {
    format!(
        "{} events a minute: CPU {:.1} % ({:.1} % at rest), {}, {:.2} writes/s; {} changes followed after {:.0} ms (99 %: {:.0}, \
         max: {:.0})",
        words::thousands(busy.events_a_minute),
        busy.busy.cpu_cores * 100.0,
        busy.at_rest.cpu_cores * 100.0,
        words::bytes(busy.busy.peak_bytes),
        busy.busy.writes_a_second,
        busy.timed,
        busy.lag.median * 1e3,
        busy.lag.p99 * 1e3,
        busy.lag.max * 1e3,
    )
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::findings;
    use super::*;

    #[test]
    fn every_goal_is_judged() {
        let mut findings = findings();
        let text = render(&findings);
        assert!(text.contains("5,000 nodes") && text.matches("reached").count() == 3, "{text}");
        findings.sizes[0].peak_bytes = BYTES;
        findings.sizes[0].first_sight_s = AGE;
        let text = render(&findings);
        assert_eq!(text.matches("missed").count(), 2, "{text}");
    }
}
