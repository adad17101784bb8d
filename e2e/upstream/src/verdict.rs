//! Judging what differs. An upstream test may fail by itself now and then, so a case that differs runs again, alone, in
//! both places; what is seen inside must have been seen outside.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::fixture::Fixture;
use super::outcome::{Difference, Outcome, describe};
use super::suite::{Parts, Suite};

/// How often a case that differs runs again in each place.
const AGAIN: usize = 3;
/// No case runs again after this: so many are no accident.
const TIME: Duration = Duration::from_secs(240);
/// So many cases of one run may differ once and never again. A suite that was equal twenty times shows none.
const ACCIDENTS: usize = 2;

/// A part that differs, in words, and whether it is an accident.
struct Judged {
    words: String,
    accident: bool,
}

/// The sentences of a failure, one a case; none when both places agree. `outside` and `inside` are in the same order.
pub fn judge(suite: &dyn Suite, places: [&Fixture<'_>; 2], outside: &Parts, inside: &Parts) -> Result<Vec<String>> {
    let start = Instant::now();
    let mut judged = Vec::new();
    for ((part, before), (_, after)) in outside.iter().zip(inside) {
        let mut differences = before.differences(after);
        // What was reported says more than what is missing because a part was given up.
        differences.sort_by_key(|difference| difference.inside.is_none());
        for difference in differences {
            judged.push(if start.elapsed() < TIME {
                run_again(suite, places, part, &difference)?
            } else {
                Judged { words: once(part, &difference), accident: false }
            });
        }
    }
    judged.iter().for_each(|judged| eprintln!("--- differs: {}", judged.words));
    let accidents = judged.iter().filter(|judged| judged.accident).count();
    judged.retain(|judged| !judged.accident || accidents > ACCIDENTS);
    Ok(judged.into_iter().map(|judged| judged.words).collect())
}

fn once(part: &str, difference: &Difference) -> String {
    let Difference { case, outside, inside } = difference;
    format!("{part}: {case}: {} outside, {} inside", describe(*outside), describe(*inside))
}

fn run_again(suite: &dyn Suite, places: [&Fixture<'_>; 2], part: &str, difference: &Difference) -> Result<Judged> {
    let mut seen: [Vec<Option<Outcome>>; 2] = [Vec::new(), Vec::new()];
    let mut complaint = None;
    for _ in 0..AGAIN {
        for (place, seen) in places.iter().zip(&mut seen) {
            let ran = suite.run(place, part, Some(&difference.case), &[])?;
            let report = suite.read(&ran)?;
            let hung = report.hung.contains(&difference.case).then_some(Outcome::Unfinished);
            let outcome = hung.or(report.outcomes.of(&difference.case));
            seen.push(outcome);
            if place.name == "inside" && outcome != difference.outside {
                complaint = Some(ran.tail(25));
            }
        }
    }
    let [outside, inside] = seen;
    let known = |outcome: &Option<Outcome>| *outcome == difference.outside || outside.contains(outcome);
    let accident = inside.iter().all(known);
    let list = |outcomes: &[Option<Outcome>]| outcomes.iter().map(|o| describe(*o)).collect::<Vec<_>>().join(", ");
    let mut words =
        format!("{}; run again: {} outside, {} inside", once(part, difference), list(&outside), list(&inside));
    if let Some(complaint) = complaint {
        words += &format!("\n{complaint}");
    }
    Ok(Judged { words, accident })
}
