//! The findings as a picture.

use super::result::{AGE, BYTES, Findings, Moment, Size, WRITES_A_SECOND};
use super::story::STEADY;
use super::table;
use crate::report::course::{self, Chart, Measure, Run};
use crate::report::words;

/// Writes are counted over so many seconds: single ones come in clusters.
const WINDOW: f64 = 10.0;

/// As SVG.
pub fn draw(findings: &Findings) -> String {
    course::draw(&chart(findings))
}

fn chart(findings: &Findings) -> Chart {
    let measure = |name: &str, unit, goal| Measure { name: name.to_owned(), unit, goal };
    let mut notes = vec![
        "\"all at once\": one object is edited and every node reports it as fast as the API server takes it. \"leader killed\": \
         by SIGKILL, while nodes go on reporting."
            .to_owned(),
    ];
    if let Some(busy) = &findings.busy {
        notes.push(format!("The daemon on one node with {} pods, {}.", busy.pods, table::busy_line(busy)));
    }
    Chart {
        title: title(findings),
        conditions: findings.conditions.clone(),
        measures: vec![
            measure("Status: age of the oldest report that it does not yet count", "s", Some(AGE)),
            measure("API writes of the operator a second, over 10 s", "", Some(WRITES_A_SECOND)),
            measure("CPU of the leading operator, of one core", "%", None),
            measure("Memory of the leading operator", "MB", Some(BYTES as f64 / 1e6)),
        ],
        runs: findings.sizes.iter().map(run).collect(),
        notes,
    }
}

/// The finding, at the largest size.
fn title(findings: &Findings) -> String {
    let Some(size) = findings.sizes.iter().max_by_key(|size| size.nodes) else {
        return "The node daemon under many events".to_owned();
    };
    let latest = size.phases.iter().map(|phase| phase.delay.max).fold(size.first_sight_s, f64::max);
    let writes = size.phase(STEADY).map_or(0.0, |phase| phase.rates.writes_a_second);
    format!(
        "{} nodes: status at most {latest:.0} s late, {writes:.1} API writes a second, {}",
        words::thousands(size.nodes as f64),
        words::bytes(size.peak_bytes)
    )
}

fn run(size: &Size) -> Run {
    let course =
        |value: &dyn Fn(&Moment) -> f64| size.moments.iter().map(|moment| (moment.at, value(moment))).collect();
    Run {
        name: format!("{} nodes, {} pods", words::thousands(size.nodes as f64), words::thousands(size.pods as f64)),
        spans: size.phases.iter().map(|phase| (phase.name.clone(), phase.from, phase.to)).collect(),
        courses: vec![
            course(&|moment| moment.age),
            writes(&size.moments),
            course(&|moment| moment.cpu * 100.0),
            course(&|moment| moment.resident as f64 / 1e6),
        ],
    }
}

/// Of each moment: writes a second in the time before it.
fn writes(moments: &[Moment]) -> Vec<(f64, f64)> {
    let before = |end: &Moment| {
        let within = moments.iter().filter(|moment| moment.at <= end.at && moment.at > end.at - WINDOW);
        let (count, seconds) = within.fold((0, 0.0), |(count, sum), one| (count + one.writes, sum + one.seconds));
        // The first seconds are not multiplied up to a whole window.
        (end.at, count as f64 / f64::max(seconds, WINDOW))
    };
    moments.iter().map(before).collect()
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::findings;
    use super::*;
    use crate::report::png;

    #[test]
    fn the_picture_says_what_was_found_where_and_what_the_goals_are() {
        let mut findings = findings();
        let small = Size { nodes: 1000, pods: 30_000, ..findings.sizes[0].clone() };
        findings.sizes.insert(0, small);
        let svg = draw(&findings);
        for words in
            ["5,000 nodes: status at most 11 s late", "1,000 nodes, 30,000 pods", "goal: below 30 s", "leader killed"]
        {
            assert!(svg.contains(words), "{words} is missing");
        }
        let png = png::render(&svg).unwrap();
        if let Some(path) = std::env::var_os("MESHACCEL_PICTURE") {
            std::fs::write(path, png).unwrap();
        }
    }

    #[test]
    fn writes_are_spread_over_a_window() {
        let moment = |second: u32, writes| Moment { at: f64::from(second), seconds: 1.0, writes, ..Moment::default() };
        let moments: Vec<Moment> = (1..=12).map(|second| moment(second, u64::from(second == 1) * 20)).collect();
        let spread = writes(&moments);
        assert_eq!((spread[0].1, spread[9].1, spread[11].1), (2.0, 2.0, 0.0));
    }
}
