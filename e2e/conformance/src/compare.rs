//! Plays behaviours on plain and on redirected connections and says which differ.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::Pair;

use super::difference::Difference;
use super::fixture::Fixture;
use super::known::{self, Known};
use super::{Behaviour, Session};

/// How often plain TCP is asked for a trace that it has given before, and redirection for a difference that it has shown
/// before.
const ATTEMPTS: usize = 6;
/// What takes longer is worth a line of the output: the suite shall stay quick.
const SLOW: Duration = Duration::from_secs(1);

/// With this variable set, the differences that are known are printed as well.
const SHOW_KNOWN: &str = "MESHACCEL_SHOW_KNOWN";

/// A daemon that redirects nothing any more makes every behaviour wait for it.
const MOST_ERRORS: usize = 5;

/// Plays all of these and fails if anything differs that is not [`known`], or if something known does not.
pub fn check(promotion: Promotion, behaviours: &[Behaviour]) -> Result<()> {
    let fixture = Fixture::open(promotion)?;
    let warm = fixture.warm(behaviours.len())?;
    let mut verdict = Verdict::default();
    for (behaviour, pair) in behaviours.iter().zip(warm) {
        let start = Instant::now();
        let difference = compare_again_if_known(&fixture, behaviour, pair);
        if start.elapsed() > SLOW {
            eprintln!("{} took {:.1} s", behaviour.name, start.elapsed().as_secs_f32());
        }
        verdict.add(behaviour.name, difference);
        if verdict.errors >= MOST_ERRORS {
            verdict.wrong.push("given up: too much could not be played".to_owned());
            break;
        }
    }
    let (count, all) = (verdict.wrong.len(), behaviours.len());
    ensure!(count == 0, "{count} of {all} (- plain TCP, + redirected):\n\n{}", verdict.wrong.join("\n"));
    eprintln!("{all} behaviours; {} differ as known::KNOWN says", verdict.known);
    Ok(())
}

/// What is known to differ may not, once, on a machine so busy that a scan took the socket out of the SOCKHASH in the
/// middle. That it does not differ any more is said only after it has not several times.
fn compare_again_if_known(fixture: &Fixture, behaviour: &Behaviour, pair: Pair) -> Result<Option<Difference>> {
    let mut difference = compare(fixture, behaviour, pair)?;
    if known::find(behaviour.name).is_some_and(|known| !known.depends_on_timing) {
        for _ in 1..ATTEMPTS {
            if difference.is_some() {
                break;
            }
            let pair = fixture.warm(1)?.pop().context("one pair was asked for")?;
            difference = compare(fixture, behaviour, pair)?;
        }
    }
    Ok(difference)
}

/// The difference between both traces, if there is one.
fn compare(fixture: &Fixture, behaviour: &Behaviour, pair: Pair) -> Result<Option<Difference>> {
    let mut plain = expected(fixture, behaviour)?;
    let redirected = play(behaviour, fixture.redirected(pair)?)?;
    if plain.contains(&redirected) {
        return Ok(None);
    }
    let title = format!("{} ({})", behaviour.name, behaviour.page);
    Ok(Some(Difference { title, plain: plain.swap_remove(0), redirected }))
}

/// The traces of plain TCP: played until one comes again. Most behaviours have one only; where what is seen depends on the
/// scheduler, any of them is TCP's.
fn expected(fixture: &Fixture, behaviour: &Behaviour) -> Result<Vec<Vec<String>>> {
    let mut seen: Vec<Vec<String>> = Vec::new();
    for _ in 0..ATTEMPTS {
        let trace = play(behaviour, fixture.plain()?)?;
        if seen.contains(&trace) {
            return Ok(seen);
        }
        seen.push(trace);
    }
    bail!("{ATTEMPTS} different traces on plain TCP: {seen:#?}")
}

fn play(behaviour: &Behaviour, mut session: Session) -> Result<Vec<String>> {
    (behaviour.run)(&mut session).context("could not be played")?;
    Ok(session.into_trace())
}

#[derive(Default)]
struct Verdict {
    wrong: Vec<String>,
    /// Behaviours that differ as they are known to.
    known: usize,
    /// Behaviours that could not be played.
    errors: usize,
}

impl Verdict {
    fn add(&mut self, name: &str, difference: Result<Option<Difference>>) {
        match (difference, known::find(name)) {
            (Ok(None), None) => {}
            (Ok(None), Some(Known { depends_on_timing: true, .. })) => {}
            (Ok(None), Some(_)) => self.wrong.push(format!("{name} is known to differ, but does not\n")),
            (Ok(Some(difference)), Some(Known { why, .. })) => {
                self.known += 1;
                // Not in the output of a failure: fifty of these hid the one that was new.
                if std::env::var_os(SHOW_KNOWN).is_some() {
                    eprintln!("known: {why}\n{}", difference.render());
                }
            }
            (Ok(Some(difference)), None) => self.wrong.push(difference.render()),
            (Err(error), _) => {
                self.errors += 1;
                self.wrong.push(format!("{name}: {error:#}\n"));
            }
        }
    }
}
