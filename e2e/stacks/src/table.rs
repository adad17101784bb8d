//! docs/stacks.md: what the tests of stacks found, a row a stack, for people who look up their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::comparison::Record;
use super::finding::Finding;

const HEAD: &str = "# Real stacks

Written by `make test-stacks`; do not edit. Each stack ran on plain TCP first, then accelerated, in one network namespace (its client \
and its server both accelerated) and as the application behind Envoys with Istio's rules; under `promotion: Auto` and `Eager`. \
Pieces of 1 B to 4 MiB on kept connections, crowds of small requests, large heads, slow readers, half-close, clients that go away, \
short connections; every byte compared.

* *redirected*: share of all bytes that both ends sent past the stack. 0 % is no failure: the stack takes plain TCP, for the \
reason that stands beside it (`meshaccel-node connections -o wide` says it as a sentence).
* *silence*: the longest time for which a client got no byte while it waited, plain and accelerated. It is that of a machine that was \
doing other things, too.
* *same*: every case had the outcome of plain TCP, and no small answer was later than 250 ms where plain TCP's was not.

| stack | where | promotion | same | redirected | why not (sockets) | silence plain / accelerated |
|-|-|-|-|-|-|-|
";

/// All that the tests kept.
pub fn read(folder: &Path) -> Result<Vec<Record>> {
    let mut records = BTreeMap::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let record: Record = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        let place = std::cmp::Reverse(record.place.clone());
        records.insert((record.stack.to_lowercase(), place, record.promotion.clone()), record);
    }
    Ok(records.into_values().collect())
}

pub fn markdown(records: &[Record]) -> String {
    let mut text = HEAD.to_owned();
    for record in records {
        let Record { stack, place, promotion, share, red, cases } = record;
        let same = if red.is_empty() { "yes".to_owned() } else { format!("**no** ({} of {})", red.len(), cases.len()) };
        let reasons: Vec<String> =
            share.reasons.iter().map(|(reason, sockets)| format!("`{reason}` ({sockets})")).collect();
        let silence = |pick: fn(&(String, Finding, Finding)) -> f64| cases.iter().map(pick).fold(0.0, f64::max);
        let _ = writeln!(
            text,
            "| {stack} | {place} | {promotion} | {same} | {:.0} % | {} | {:.0} / {:.0} ms |",
            share.percent(),
            reasons.join(", "),
            silence(|(_, plain, _)| plain.silence_ms),
            silence(|(_, _, accelerated)| accelerated.silence_ms),
        );
    }
    let differences: Vec<&Record> = records.iter().filter(|record| !record.red.is_empty()).collect();
    if !differences.is_empty() {
        text += "\n## What differs\n\n";
    }
    for record in differences {
        for red in &record.red {
            let _ = writeln!(text, "* {}, {}, {}: {red}", record.stack, record.place, record.promotion);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::Share;

    #[test]
    fn a_difference_is_a_row_and_a_sentence() {
        let record = Record {
            stack: "X".to_owned(),
            place: "namespace".to_owned(),
            promotion: "Auto".to_owned(),
            cases: vec![("crowd".to_owned(), Finding::good(), Finding { silence_ms: 12.4, ..Finding::good() })],
            share: Share { redirected: 1, tcp: 3, ..Share::default() },
            red: vec!["crowd: hangs".to_owned()],
        };
        let text = markdown(&[record]);
        assert!(text.contains("| X | namespace | Auto | **no** (1 of 1) | 25 % |  | 0 / 12 ms |"), "{text}");
        assert!(text.contains("* X, namespace, Auto: crowd: hangs"), "{text}");
    }
}
