use proptest::prelude::*;

use super::*;

fn candidate(name: &str) -> Candidate {
    Candidate::new(name.into(), USUAL)
}

fn at(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

fn held_by(holder: &str, version: &str) -> Record {
    Record { holder: Some(holder.into()), duration: USUAL.lease, version: version.into(), ..Record::default() }
}

#[test]
fn the_first_makes_the_lease_and_leads() {
    let (mut one, start) = (candidate("one"), Instant::now());
    let Next::Write(record) = one.decide(None, start) else { panic!() };
    assert_eq!((record.holder.as_deref(), record.version.as_str(), record.transitions), (Some("one"), "", 0));
    assert_eq!(one.until(), None, "not before it is written");
    one.wrote("1".into(), start);
    assert_eq!(one.until(), Some(start + USUAL.deadline));
}

#[test]
fn a_lease_that_changes_is_left_alone_and_one_that_does_not_is_taken() {
    let (mut two, start) = (candidate("two"), Instant::now());
    for second in 0..30 {
        let record = held_by("one", &second.to_string());
        assert_eq!(two.decide(Some(&record), at(start, second * 1000)), Next::Wait);
    }
    let stale = held_by("one", "29");
    assert_eq!(two.decide(Some(&stale), at(start, 38_999)), Next::Wait);
    let Next::Write(record) = two.decide(Some(&stale), at(start, 39_000)) else { panic!() };
    assert_eq!((record.holder.as_deref(), record.version.as_str(), record.transitions), (Some("two"), "29", 1));
}

#[test]
fn who_comes_late_waits_the_whole_time_however_old_the_lease_says_it_is() {
    let (mut two, start) = (candidate("two"), Instant::now());
    assert_eq!(two.decide(Some(&held_by("one", "1")), start), Next::Wait);
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let (mut one, mut two, start) = (candidate("one"), candidate("two"), Instant::now());
    one.wrote("1".into(), start);
    let released = one.release(&held_by("one", "1")).unwrap();
    assert_eq!((one.until(), released.holder.as_deref()), (None, None));
    assert!(matches!(two.decide(Some(&released), start), Next::Write(_)));
}

#[test]
fn who_does_not_lead_releases_nothing() {
    assert_eq!(candidate("two").release(&held_by("one", "1")), None);
}

#[test]
fn a_leader_that_was_replaced_knows_it_when_it_looks() {
    let (mut one, start) = (candidate("one"), Instant::now());
    one.wrote("1".into(), start);
    assert_eq!(one.decide(Some(&held_by("two", "2")), at(start, 100)), Next::Wait);
    assert_eq!((one.until(), one.holder()), (None, Some("two")));
}

#[test]
fn a_lease_that_somebody_deletes_is_not_taken_from_its_leader_at_once() {
    let (mut two, start) = (candidate("two"), Instant::now());
    assert_eq!(two.decide(Some(&held_by("one", "1")), start), Next::Wait);
    assert_eq!(two.decide(None, at(start, 1000)), Next::Wait);
    assert_eq!(two.decide(None, at(start, 10_999)), Next::Wait);
    assert!(matches!(two.decide(None, at(start, 11_000)), Next::Write(_)));
}

#[test]
fn a_lease_that_comes_back_from_the_past_is_not_believed() {
    let (mut one, start) = (candidate("one"), Instant::now());
    one.wrote("5".into(), start);
    assert_eq!(one.decide(Some(&held_by("two", "9")), at(start, 20_000)), Next::Wait);
    // The store was restored from a copy of the time when this one led; two does not know yet.
    assert_eq!(one.decide(Some(&held_by("one", "5")), at(start, 21_000)), Next::Wait);
    assert_eq!(one.decide(Some(&held_by("one", "5")), at(start, 30_999)), Next::Wait);
    assert!(matches!(one.decide(Some(&held_by("one", "5")), at(start, 31_000)), Next::Write(_)));
}

/// What happens to one candidate in one step of simulated time.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Runs,
    /// The process is stopped, or the machine is.
    Sleeps,
    /// The API server does not answer it.
    CutOff,
    /// Its write is carried out, but it does not hear of that.
    Unheard,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Runs), 1 => Just(Fate::Sleeps), 1 => Just(Fate::CutOff), 1 => Just(Fate::Unheard)]
}

proptest! {
    /// Three candidates, steps of half a second, fates that hold for a while: never do two hold a valid term at once, and
    /// between two terms there is time for a request to end.
    #[test]
    fn never_two_leaders(fates in proptest::collection::vec((fate(), fate(), fate(), 1u64..30), 1..60)) {
        let start = Instant::now();
        let mut candidates = ["a", "b", "c"].map(candidate);
        let mut stored: Option<Record> = None;
        let (mut version, mut step, mut last_valid) = (0u64, 0u64, None::<(usize, Instant)>);
        for (a, b, c, repeats) in fates {
            for _ in 0..repeats {
                step += 1;
                let now = at(start, step * 500);
                for (index, fate) in [a, b, c].into_iter().enumerate() {
                    if matches!(fate, Fate::Sleeps | Fate::CutOff) {
                        continue;
                    }
                    if let Next::Write(mut record) = candidates[index].decide(stored.as_ref(), now) {
                        prop_assert_eq!(&record.version, &stored.as_ref().map(|s| s.version.clone()).unwrap_or_default());
                        version += 1;
                        record.version = version.to_string();
                        stored = Some(record);
                        if !matches!(fate, Fate::Unheard) {
                            candidates[index].wrote(version.to_string(), now);
                        }
                    }
                }
                // Who sleeps writes nothing; all others do, as long as their term is valid.
                let leaders: Vec<usize> = (0..3).filter(|&i| candidates[i].until().is_some_and(|until| until > now)).collect();
                prop_assert!(leaders.len() <= 1, "{:?} at step {}", leaders, step);
                if let [leader] = leaders[..] {
                    if let Some((before, until)) = last_valid && before != leader {
                        prop_assert!(now >= until + (USUAL.lease - USUAL.deadline), "too soon after the one before");
                    }
                    last_valid = candidates[leader].until().map(|until| (leader, until));
                }
            }
        }
    }

    /// Whatever happened before, soon after all run again somebody leads.
    #[test]
    fn somebody_leads_in_the_end(fates in proptest::collection::vec((fate(), fate()), 0..60)) {
        let start = Instant::now();
        let mut candidates = ["a", "b"].map(candidate);
        let (mut stored, mut version) = (None::<Record>, 0u64);
        let calm = 24;
        let all = fates.into_iter().chain(std::iter::repeat_n((Fate::Runs, Fate::Runs), calm));
        for (step, (a, b)) in all.enumerate() {
            let now = at(start, step as u64 * 500);
            for (index, fate) in [a, b].into_iter().enumerate() {
                if matches!(fate, Fate::Runs | Fate::Unheard)
                    && let Next::Write(mut record) = candidates[index].decide(stored.as_ref(), now)
                {
                    version += 1;
                    record.version = version.to_string();
                    stored = Some(record);
                    if matches!(fate, Fate::Runs) {
                        candidates[index].wrote(version.to_string(), now);
                    }
                }
            }
        }
        prop_assert!(candidates.iter().any(|candidate| candidate.until().is_some()));
    }
}
