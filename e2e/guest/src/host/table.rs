//! The table of kernels: what each was found to be able to, and what became of its story.

use super::machine::Outcome;
use crate::found::Found;

const HEADER: [&str; 11] = [
    "kernel",
    "processor",
    "suite",
    "FIONREAD sees",
    "blocking calls wait",
    "rmem counts",
    "habits seen by",
    "casts",
    "promotion",
    "nginx",
    "result",
];

/// As Markdown, a kernel a line, in the order of the list.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut rows = vec![HEADER.map(str::to_owned), HEADER.map(|_| "-".to_owned())];
    rows.extend(outcomes.iter().map(row));
    rows.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect()
}

fn row(outcome: &Outcome) -> [String; 11] {
    let report = outcome.report.as_ref().ok();
    let found = report.and_then(|report| report.found.as_ref());
    let of = |show: fn(&Found) -> String| found.map(show).unwrap_or_default();
    let fact = |name: &str| report.and_then(|report| report.facts.get(name)).cloned().unwrap_or_default();
    let result = match (outcome.failure(), fact("refusal")) {
        (Some(failure), _) => format!("**failed**: {}", failure.lines().next().unwrap_or_default()),
        (None, sentence) if !sentence.is_empty() => format!("refused: {sentence}"),
        (None, _) => "works".to_owned(),
    };
    let cells = [
        outcome.kernel.upstream().to_owned(),
        outcome.kernel.processor.name().to_owned(),
        outcome.kernel.suite.clone(),
        of(|found| found.fionread.clone()),
        of(|found| yes(found.blocking_waits)),
        of(|found| yes(found.rmem_counts)),
        of(|found| found.habits_by.clone()),
        of(|found| yes(found.casts())),
        of(Found::mechanism),
        fact("nginx"),
        format!("{result} ({:.0} s)", outcome.seconds),
    ];
    cells.map(|cell| cell.replace('|', "\\|"))
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.to_owned()
}
