//! What came out of a case, and whether plain TCP and acceleration agree.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::wire::{DEADLINE, LIMIT};

/// How often a case in which a deadline was missed runs again, in both places in turn.
const AGAIN: usize = 3;
/// How often it runs at most, until it is known whether it was an accident.
const AT_MOST: usize = 8;
/// It is none when so many more runs were late with acceleration: with as many as 16 programs on two processors beside a build, plain
/// TCP is late in about every other run.
const LATE: i32 = 4;
/// A wait that no accident explains where plain TCP shows none: it is not excused by a good run afterwards.
const HANG: Duration = Duration::from_secs(2);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What happened, without times; the same on plain TCP.
    pub outcome: String,
    pub operations: usize,
    /// Small operations that took longer than the deadline.
    pub late: usize,
    /// The longest wait of a client at a stretch, in milliseconds.
    pub silence_ms: f64,
}

impl Finding {
    pub fn good() -> Self {
        Self { outcome: "all bytes right".to_owned(), ..Self::default() }
    }

    /// Adds one operation.
    pub fn note(&mut self, took: Duration, silence: Duration, small: bool) {
        self.operations += 1;
        self.late += usize::from(small && took > DEADLINE);
        self.silence_ms = self.silence_ms.max(silence.as_secs_f64() * 1000.0);
    }

    /// The connection failed. A hang is told by its length as well as by its words.
    pub fn fail(&mut self, error: &anyhow::Error) {
        self.outcome = format!("{error:#}");
        if self.outcome.contains("timed out") {
            self.note(LIMIT, LIMIT, true);
        }
    }

    /// Adds those of another connection; what is bad stays.
    pub fn join(&mut self, other: Self) {
        let good = Self::good().outcome;
        if self.outcome == good {
            self.outcome = other.outcome;
        }
        self.operations += other.operations;
        self.late += other.late;
        self.silence_ms = self.silence_ms.max(other.silence_ms);
    }

    fn hung(&self) -> bool {
        self.silence_ms >= HANG.as_secs_f64() * 1000.0
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, operations, late, silence_ms } = self;
        write!(f, "{outcome}; {operations} operations, {late} late, longest silence {silence_ms:.0} ms")
    }
}

/// Compares a case's two runs; runs it again where a miss may be an accident. `None`: they agree.
///
/// *Outcomes* agree when plain TCP shows, in one of its runs, what acceleration showed. *Deadlines*: a case that was late where
/// plain TCP was not runs again in each place, three times to eight, and must not be late in four runs more than plain TCP. A
/// silence of two seconds that plain TCP does not have is red at once: a good run afterwards does not undo it.
pub fn judge(
    plain: &Finding,
    accelerated: &Finding,
    mut again: impl FnMut(bool) -> Result<Finding>,
) -> Result<Option<String>> {
    if accelerated.hung() && !plain.hung() {
        return Ok(Some(format!("hangs: {accelerated}; plain TCP: {plain}")));
    }
    let different = accelerated.outcome != plain.outcome;
    if !different && accelerated.late <= plain.late {
        return Ok(None);
    }
    // How many more runs were late with acceleration than without.
    let (mut known, mut excess, mut hung) = (vec![plain.outcome.clone()], 0, false);
    let mut seen = vec![accelerated.clone()];
    for round in 1..=AT_MOST {
        let beside = again(false)?;
        let run = again(true)?;
        excess += i32::from(run.late > 0) - i32::from(beside.late > 0);
        hung = run.hung() && !beside.hung();
        known.push(beside.outcome);
        seen.push(run);
        if hung || excess >= LATE || round >= AGAIN && excess <= 0 {
            break;
        }
    }
    let list = || seen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
    if let Some(odd) = seen.iter().find(|run| !known.contains(&run.outcome)) {
        return Ok(Some(format!("{}; plain TCP: {plain} (all runs: {})", odd.outcome, list())));
    }
    if excess >= LATE || hung {
        return Ok(Some(format!("late where plain TCP is not: {}; plain TCP: {plain}", list())));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(late: usize, silence_ms: f64) -> Finding {
        Finding { operations: 10, late, silence_ms, ..Finding::good() }
    }

    #[test]
    fn one_late_answer_is_forgiven_and_a_habit_is_not() {
        let none = |_| Ok(late(0, 1.0));
        assert_eq!(judge(&late(0, 1.0), &late(1, 300.0), none).unwrap(), None);
        let always = |accelerated: bool| Ok(late(usize::from(accelerated), 270.0));
        assert!(judge(&late(0, 1.0), &late(1, 270.0), always).unwrap().is_some());
        // Beside a build plain TCP is late as well.
        assert_eq!(judge(&late(0, 1.0), &late(1, 270.0), |_| Ok(late(1, 270.0))).unwrap(), None);
    }

    #[test]
    fn a_hang_is_not_forgiven_by_good_runs() {
        let none = |_| Ok(late(0, 1.0));
        assert!(judge(&late(0, 1.0), &late(1, 8000.0), none).unwrap().is_some());
        let bad = Finding { outcome: "wrong bytes".to_owned(), ..Finding::good() };
        assert!(judge(&Finding::good(), &bad, |_| Ok(Finding::good())).unwrap().is_some());
    }

    #[test]
    fn what_plain_tcp_shows_too_is_the_servers() {
        let closed = Finding { outcome: "closed".to_owned(), ..Finding::good() };
        let sometimes = |accelerated: bool| Ok(if accelerated { Finding::good() } else { closed.clone() });
        assert_eq!(judge(&Finding::good(), &closed, sometimes).unwrap(), None);
    }
}
