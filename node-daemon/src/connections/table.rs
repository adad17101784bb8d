//! Rows as tables for people.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::row::Row;

/// Fits a terminal.
pub fn narrow(rows: &[Row]) -> String {
    let head = ["POD", "LOCAL", "REMOTE", "SIDE", "PATH", "SINCE", "REDIRECTED", "REASON"];
    let mut table = table(&head);
    for row in rows {
        let cells = [
            row.pod.clone(),
            row.local.to_string(),
            row.remote.to_string(),
            row.side.into(),
            row.path.into(),
            age(row.since_ms),
            size(row.redirected.bytes),
            row.reason.unwrap_or("-").into(),
        ];
        table.add_row(aligned(&cells, &[5, 6]));
    }
    finish(&table, rows)
}

/// Every column, and reasons as sentences.
pub fn wide(rows: &[Row]) -> String {
    let head = [
        "POD",
        "LOCAL",
        "REMOTE",
        "PEER POD",
        "ROLE",
        "SIDE",
        "PATH",
        "SINCE",
        "REDIRECTED",
        "MESSAGES",
        "PASSED",
        "MESSAGES",
        "TCP SENT",
        "TCP RECEIVED",
        "REASON",
    ];
    let mut table = table(&head);
    for row in rows {
        let cells = [
            row.pod.clone(),
            row.local.to_string(),
            row.remote.to_string(),
            row.peer_pod.as_ref().map_or("-".into(), ToString::to_string),
            row.role.into(),
            row.side.into(),
            row.path.into(),
            age(row.since_ms),
            size(row.redirected.bytes),
            row.redirected.messages.to_string(),
            size(row.passed.bytes),
            row.passed.messages.to_string(),
            size(row.tcp.sent_bytes),
            size(row.tcp.received_bytes),
            row.reason_text.unwrap_or("-").into(),
        ];
        table.add_row(aligned(&cells, &[7, 8, 9, 10, 11, 12, 13]));
    }
    finish(&table, rows)
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    table
}

fn aligned(cells: &[String], right: &[usize]) -> Vec<Cell> {
    let align = |(index, text): (usize, &String)| {
        let side = if right.contains(&index) { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(text).set_alignment(side)
    };
    cells.iter().enumerate().map(align).collect()
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
