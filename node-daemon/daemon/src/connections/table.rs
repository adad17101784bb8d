//! Rows as tables for people.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use meshaccel_redirect::connections::row::Row;

/// Where a column is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Always,
    Narrow,
    Wide,
}

struct Column {
    head: &'static str,
    shown: Shown,
    side: CellAlignment,
    cell: fn(&Row) -> String,
}

const fn text(head: &'static str, shown: Shown, cell: fn(&Row) -> String) -> Column {
    Column { head, shown, side: CellAlignment::Left, cell }
}

const fn number(head: &'static str, shown: Shown, cell: fn(&Row) -> String) -> Column {
    Column { head, shown, side: CellAlignment::Right, cell }
}

const COLUMNS: [Column; 16] = [
    text("POD", Shown::Always, |row| row.pod.clone()),
    text("LOCAL", Shown::Always, |row| row.local.to_string()),
    text("REMOTE", Shown::Always, |row| row.remote.to_string()),
    text("PEER POD", Shown::Wide, |row| row.peer_pod.as_ref().map_or("-".into(), ToString::to_string)),
    text("ROLE", Shown::Wide, |row| row.role.into()),
    text("SIDE", Shown::Always, |row| row.side.into()),
    text("PATH", Shown::Always, |row| row.path.into()),
    number("SINCE", Shown::Always, |row| age(row.since_ms)),
    number("REDIRECTED", Shown::Always, |row| size(row.redirected.bytes)),
    number("MESSAGES", Shown::Wide, |row| row.redirected.messages.to_string()),
    number("PASSED", Shown::Wide, |row| size(row.passed.bytes)),
    number("MESSAGES", Shown::Wide, |row| row.passed.messages.to_string()),
    number("TCP SENT", Shown::Wide, |row| size(row.tcp.sent_bytes)),
    number("TCP RECEIVED", Shown::Wide, |row| size(row.tcp.received_bytes)),
    text("REASON", Shown::Narrow, |row| row.reason.unwrap_or("-").into()),
    text("REASON", Shown::Wide, |row| row.reason_text.unwrap_or("-").into()),
];

/// Fits a terminal.
pub fn narrow(rows: &[Row]) -> String {
    render(rows, Shown::Narrow)
}

/// Every column, and reasons as sentences.
pub fn wide(rows: &[Row]) -> String {
    render(rows, Shown::Wide)
}

fn render(rows: &[Row], width: Shown) -> String {
    let columns = || COLUMNS.iter().filter(|column| column.shown == Shown::Always || column.shown == width);
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns().map(|column| column.head));
    for row in rows {
        table.add_row(columns().map(|column| Cell::new((column.cell)(row)).set_alignment(column.side)));
    }
    finish(&table, rows)
}

fn finish(table: &Table, rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no connection is recorded: no pod is selected, or none has connected yet".into();
    }
    let redirected = rows.iter().filter(|row| row.path == "redirected").count();
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n{} sockets, {redirected} redirected", lines.join("\n"), rows.len())
}

fn age(ms: u64) -> String {
    match ms / 1000 {
        0 => format!("{ms}ms"),
        s @ 1..=119 => format!("{s}s"),
        s @ 120..=7199 => format!("{}m", s / 60),
        s => format!("{}h", s / 3600),
    }
}

/// Bytes in the largest binary unit that leaves at least one.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS.get(unit).unwrap_or(&"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_short() {
        let sizes: Vec<_> = [0, 1023, 1024, 1536, 5 << 30].map(size).into();
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB"]);
        let ages: Vec<_> = [5, 1500, 119_000, 120_000, 7_200_000].map(age).into();
        assert_eq!(ages, ["5ms", "1s", "119s", "2m", "2h"]);
    }

    #[test]
    fn an_empty_list_says_why() {
        assert!(narrow(&[]).contains("no pod is selected"));
    }
}
