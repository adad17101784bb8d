//! What became of each test case, and where two runs of the same suite differ.

use std::collections::BTreeMap;
use std::fmt;

/// The worst is the greatest: a case that is reported twice (by its sub-tests) counts as its worst part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Skipped,
    Passed,
    Failed,
    /// It was running when its time was over, or when its process died.
    Unfinished,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skipped => "skipped",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unfinished => "did not finish",
        })
    }
}

/// Test cases of one run by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(BTreeMap<String, Outcome>);

/// A test case that two runs do not agree on; `None`: it was not reported there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub case: String,
    pub outside: Option<Outcome>,
    pub inside: Option<Outcome>,
}

impl Outcomes {
    pub fn note(&mut self, case: &str, outcome: Outcome) {
        let entry = self.0.entry(case.to_owned()).or_insert(outcome);
        *entry = outcome.max(*entry);
    }

    pub fn extend(&mut self, other: Self) {
        for (case, outcome) in other.0 {
            self.note(&case, outcome);
        }
    }

    pub fn of(&self, case: &str) -> Option<Outcome> {
        self.0.get(case).copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same outcomes under other names.
    pub fn renamed(&self, rename: impl Fn(&str) -> String) -> Self {
        Self(self.0.iter().map(|(case, &outcome)| (rename(case), outcome)).collect())
    }

    /// Those of one test and of its sub-tests ("test/sub").
    pub fn below(&self, test: &str) -> Self {
        let of = |case: &str| case == test || case.strip_prefix(test).is_some_and(|rest| rest.starts_with('/'));
        Self(self.0.iter().filter(|(case, _)| of(case)).map(|(case, &outcome)| (case.clone(), outcome)).collect())
    }

    /// How many had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.0.values().filter(|&&other| other == outcome).count()
    }

    /// All cases on which `self`, run outside, and `inside` do not agree.
    pub fn differences(&self, inside: &Self) -> Vec<Difference> {
        let mut cases: Vec<&String> = self.0.keys().chain(inside.0.keys()).collect();
        cases.sort();
        cases.dedup();
        cases.retain(|case| self.of(case) != inside.of(case));
        cases
            .into_iter()
            .map(|case| Difference { case: case.clone(), outside: self.of(case), inside: inside.of(case) })
            .collect()
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} test cases", self.len())?;
        for outcome in [Outcome::Passed, Outcome::Failed, Outcome::Skipped, Outcome::Unfinished] {
            match self.count(outcome) {
                0 => {}
                count => write!(f, ", {count} {outcome}")?,
            }
        }
        Ok(())
    }
}

/// "failed", or that nothing is known of it.
pub fn describe(outcome: Option<Outcome>) -> String {
    outcome.map_or("not reported".to_owned(), |outcome| outcome.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(cases: &[(&str, Outcome)]) -> Outcomes {
        let mut outcomes = Outcomes::default();
        cases.iter().for_each(|&(case, outcome)| outcomes.note(case, outcome));
        outcomes
    }

    #[test]
    fn a_case_is_as_bad_as_its_worst_part() {
        let all = outcomes(&[("a", Outcome::Failed), ("a", Outcome::Passed), ("b", Outcome::Skipped)]);
        assert_eq!(all.of("a"), Some(Outcome::Failed));
        assert_eq!(all.to_string(), "2 test cases, 1 failed, 1 skipped");
    }

    #[test]
    fn a_missing_case_is_a_difference() {
        let outside = outcomes(&[("a", Outcome::Passed), ("b", Outcome::Passed), ("c", Outcome::Skipped)]);
        let inside = outcomes(&[("a", Outcome::Passed), ("c", Outcome::Passed)]);
        let differences = outside.differences(&inside);
        let told: Vec<_> = differences.iter().map(|d| (d.case.as_str(), describe(d.inside))).collect();
        assert_eq!(told, [("b", "not reported".to_owned()), ("c", "passed".to_owned())]);
        assert!(outside.differences(&outside).is_empty());
    }
}
