//! Random programs of socket calls, played on a plain and on a redirected connection: what nobody thought of writing down
//! as a behaviour of [`crate`].
//!
//! * [`step`] one call of a program; [`generate`] programs from a seed
//! * [`play`] a program on a session; [`shrink`] what is left of one when every call that does not matter is gone

pub mod generate;
pub mod play;
pub mod shrink;
pub mod step;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::Pair;

use crate::difference::Difference;
use crate::fixture::Fixture;
use generate::Generator;
use shrink::shrink;
use step::Step;

/// Programs of a run, unless `MESHACCEL_PROGRAMS` says otherwise.
const PROGRAMS: usize = 120;
/// Connections that are promoted together.
const BATCH: usize = 32;
/// Plain TCP may answer in more than one way where a timer decides; a program that gives more is no evidence.
const PLAIN_ATTEMPTS: usize = 4;

/// A fixture with redirected connections at hand.
struct Stage {
    fixture: Fixture,
    pairs: Vec<Pair>,
}

impl Stage {
    /// The traces of one program, when they differ.
    fn difference(&mut self, program: &[Step]) -> Result<Option<Difference>> {
        let mut plain: Vec<Vec<String>> = Vec::new();
        let mut repeats = false;
        for _ in 0..PLAIN_ATTEMPTS {
            let trace = play::play(program, self.fixture.plain()?)?;
            repeats = plain.contains(&trace);
            if repeats {
                break;
            }
            plain.push(trace);
        }
        if !repeats {
            return Ok(None);
        }
        if self.pairs.is_empty() {
            self.pairs = self.fixture.warm(BATCH)?;
        }
        let pair = self.pairs.pop().context("a batch has connections")?;
        let redirected = play::play(program, self.fixture.redirected(pair)?)?;
        let same = plain.contains(&redirected);
        Ok((!same).then(|| Difference { title: "a program".to_owned(), plain: plain.swap_remove(0), redirected }))
    }
}

/// Plays random programs until one differs, or all were the same.
pub fn check(promotion: Promotion) -> Result<()> {
    let seed = number("MESHACCEL_SEED")?.unwrap_or_else(rand::random);
    let count = number("MESHACCEL_PROGRAMS")?.map_or(PROGRAMS, |count| count as usize);
    // To look past what differs already: words of steps, as they are printed, that programs leave out.
    let avoided = std::env::var("MESHACCEL_AVOID").unwrap_or_default();
    let avoided: Vec<String> = avoided.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let mut stage = Stage { fixture: Fixture::open(promotion)?, pairs: Vec::new() };
    for index in 0..count {
        let seed = seed.wrapping_add(index as u64);
        let program = Generator::new(seed, &avoided).program();
        if stage.difference(&program)?.is_none() {
            continue;
        }
        let short = shrink(program, |program| Ok(stage.difference(program)?.is_some()))?;
        let Some(difference) = stage.difference(&short)? else { continue };
        let steps: String = short.iter().map(|step| format!("    {step:?}\n")).collect();
        let again = format!("MESHACCEL_SEED={seed} MESHACCEL_PROGRAMS=1");
        ensure!(false, "program {index} differs, again with {again}:\n{steps}\n{}", difference.render());
    }
    Ok(())
}

/// A number of the environment.
fn number(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{name}={text} is no number"))?)),
        Err(_) => Ok(None),
    }
}
