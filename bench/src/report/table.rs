//! The table on the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::{Findings, MEASURES, words};

/// All figures of a comparison.
pub fn render(findings: &Findings) -> String {
    let Some((plain, accelerated)) = findings.medians() else { return "nothing was measured".to_owned() };
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["", "plain TCP", "meshaccel", "ratio"]);
    for measure in &MEASURES {
        let (before, after) = ((measure.value)(&plain), (measure.value)(&accelerated));
        let cells = [(measure.format)(before), (measure.format)(after), words::ratio(after / before)];
        table.add_row([measure.name.to_owned()].into_iter().chain(cells));
    }
    let connections = words::thousands(findings.connections as f64);
    table.add_row(["Connections redirected", "0", &connections, ""]);
    table.add_row(["Kept off the stack", "0", &words::bytes(findings.bytes), ""]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
