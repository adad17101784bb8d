use meshaccel_abi::redirect::Role;
use meshaccel_abi::redirect::connection::{STATE_CANDIDATE, STATE_PROMOTED_LATE};
use proptest::prelude::*;

use super::*;

/// A socket that is worth entering, and has no reason to leave.
#[derive(Clone, Debug)]
struct Facts {
    flags: u32,
    unpaired: Option<Reason>,
    role: Role,
    peer: Stay,
    off: bool,
    left_for: Option<u32>,
    segments: [u32; 2],
    readers: Result<(), Reason>,
    habits: Result<(), Reason>,
    stays_out: bool,
    no_gain_before: bool,
    worth: Result<(), Reason>,
    unread: bool,
    alone: bool,
    waits: bool,
    wrongly: Option<Reason>,
    /// It was weighed.
    weighed: bool,
}

fn good() -> Facts {
    Facts {
        flags: ENFORCE,
        unpaired: None,
        role: Role::Passive,
        peer: Stay { state: STATE_PROMOTED_LATE, left_for: 0 },
        off: false,
        left_for: Some(0),
        segments: [READ_FIRST; 2],
        readers: Ok(()),
        habits: Ok(()),
        stays_out: false,
        no_gain_before: false,
        worth: Ok(()),
        unread: false,
        alone: false,
        waits: false,
        wrongly: None,
        weighed: false,
    }
}

impl Seen for Facts {
    fn flags(&self) -> u32 {
        self.flags
    }
    fn unpaired(&self) -> Option<Reason> {
        self.unpaired
    }
    fn role(&self) -> u32 {
        self.role as u32
    }
    fn peer(&self) -> Stay {
        self.peer
    }
    fn is_off(&self) -> bool {
        self.off
    }
    fn left_for(&self) -> Option<u32> {
        self.left_for
    }
    fn segments(&self) -> [u32; 2] {
        self.segments
    }
    fn readers_take_it(&self) -> Result<(), Reason> {
        self.readers
    }
    fn habits_allow(&self) -> Result<(), Reason> {
        self.habits
    }
    fn was_no_gain(&self, left_for: u32) -> bool {
        left_for == Reason::OneWay as u32
    }
    fn stays_out(&mut self) -> bool {
        self.stays_out
    }
    fn no_gain_before(&self) -> bool {
        self.no_gain_before
    }
    fn is_worth_it(&mut self, _: bool) -> Result<(), Reason> {
        self.weighed = true;
        self.worth
    }
    fn leaves_unread(&self) -> bool {
        self.unread
    }
    fn is_alone(&self) -> bool {
        self.alone
    }
    fn waits_since_before(&mut self) -> bool {
        self.waits
    }
    fn reads_wrongly(&self) -> Option<Reason> {
        self.wrongly
    }
}

fn candidate(mut facts: Facts) -> Step {
    step(true, &mut facts, false)
}

fn promoted(mut facts: Facts, wholly: bool) -> Step {
    step(false, &mut facts, wholly)
}

#[test]
fn a_candidate_waits_for_each_of_these() {
    assert_eq!(candidate(good()), Step::Enter);
    let in_vain = Reason::PeerNotPromoted as u32;
    let peer_is_out = Stay { state: STATE_CANDIDATE, left_for: 0 };
    let one_way = Some(Reason::OneWay as u32);
    for (facts, reason) in [
        (Facts { unpaired: Some(Reason::Unpaired), ..good() }, Reason::Unpaired),
        (Facts { flags: ENFORCE | OBSERVE, ..good() }, Reason::Observing),
        (Facts { flags: 0, ..good() }, Reason::NotEnforced),
        (Facts { off: true, ..good() }, Reason::SwitchedOff),
        (Facts { left_for: None, ..good() }, Reason::NotRecorded),
        (Facts { segments: [READ_FIRST - 1, READ_FIRST], ..good() }, Reason::Candidate),
        (Facts { segments: [READ_FIRST, READ_FIRST - 1], ..good() }, Reason::Candidate),
        (Facts { readers: Err(Reason::BlockingReader), ..good() }, Reason::BlockingReader),
        (Facts { habits: Err(Reason::ReaderAsks), ..good() }, Reason::ReaderAsks),
        (Facts { left_for: Some(in_vain), peer: peer_is_out, ..good() }, Reason::PeerNotPromoted),
        (Facts { left_for: one_way, stays_out: true, ..good() }, Reason::OneWay),
        (Facts { worth: Err(Reason::OneWay), ..good() }, Reason::OneWay),
        (Facts { unread: true, ..good() }, Reason::OrderBarrier),
    ] {
        assert_eq!(candidate(facts.clone()), Step::Wait(reason), "{facts:?}");
    }
}

/// `promotion: Eager` weighs nothing, unless something has shown that it may be no gain.
#[test]
fn eager_ones_are_weighed_only_when_they_have_a_past() {
    let eager = Facts { flags: ENFORCE | EAGER, worth: Err(Reason::OneWay), ..good() };
    assert_eq!(candidate(eager.clone()), Step::Enter);
    assert_eq!(candidate(Facts { no_gain_before: true, ..eager.clone() }), Step::Wait(Reason::OneWay));
    assert_eq!(candidate(Facts { left_for: Some(Reason::OneWay as u32), ..eager }), Step::Wait(Reason::OneWay));
}

#[test]
fn a_promoted_socket_leaves_for_each_of_these() {
    assert_eq!(promoted(good(), true), Step::Remain);
    for (facts, reason) in [
        (Facts { flags: ENFORCE | RETIRE, ..good() }, Reason::NotEnforced),
        (Facts { unpaired: Some(Reason::OtherPod), ..good() }, Reason::OtherPod),
        (Facts { unpaired: Some(Reason::ExcludedPort), ..good() }, Reason::ExcludedPort),
        (Facts { unpaired: Some(Reason::NotAppToSidecar), ..good() }, Reason::NotAppToSidecar),
        (Facts { alone: true, ..good() }, Reason::PeerNotPromoted),
        (Facts { waits: true, ..good() }, Reason::TakesBulk),
    ] {
        assert_eq!(promoted(facts.clone(), false), Step::Leave(reason), "{facts:?}");
    }
    // What changes seldom is looked at by full resyncs.
    let wrongly = Facts { wrongly: Some(Reason::ReaderSplices), ..good() };
    assert_eq!(promoted(wrongly.clone(), false), Step::Remain);
    assert_eq!(promoted(wrongly, true), Step::Leave(Reason::ReaderSplices));
    // One whose peer is not recorded (any more) may still be paired.
    assert_eq!(promoted(Facts { unpaired: Some(Reason::Unpaired), ..good() }, true), Step::Remain);
    // That a policy observes or does not enforce is for the verdict of each message.
    assert_eq!(promoted(Facts { flags: 0, off: true, ..good() }, true), Step::Remain);
}

fn facts() -> impl Strategy<Value = Facts> {
    let reason =
        || prop::sample::select(&[Reason::Unpaired, Reason::OtherPod, Reason::BlockingReader, Reason::OneWay][..]);
    let verdict = move || prop::option::of(reason()).prop_map(|reason| reason.map_or(Ok(()), Err));
    (
        (0..16u32, prop::option::of(reason()), any::<bool>(), any::<bool>(), prop::option::of(0..40u32)),
        (prop::array::uniform2(0..2 * READ_FIRST), verdict(), verdict(), any::<bool>(), any::<bool>()),
        (verdict(), any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(reason())),
    )
        .prop_map(
            |((bits, unpaired, off, active, left_for), (segments, readers, habits, stays_out, before), rest)| {
                let (worth, unread, alone, waits, wrongly) = rest;
                let flag = |bit: u32, flag: u32| if bits & 1 << bit != 0 { flag } else { 0 };
                Facts {
                    flags: flag(0, ENFORCE) | flag(1, OBSERVE) | flag(2, EAGER) | flag(3, RETIRE),
                    role: if active { Role::Active } else { Role::Passive },
                    no_gain_before: before,
                    ..Facts {
                        unpaired,
                        off,
                        left_for,
                        segments,
                        readers,
                        habits,
                        stays_out,
                        worth,
                        unread,
                        alone,
                        waits,
                        wrongly,
                        ..good()
                    }
                }
            },
        )
}

proptest! {
    /// A candidate never leaves, a promoted socket never enters; and nothing enters that is not enforced, that no reader takes or that
    /// would leave at the next look for a reason that was there before.
    #[test]
    fn what_enters_may_be_there(facts in facts()) {
        match candidate(facts.clone()) {
            Step::Enter => {
                prop_assert!(facts.flags & ENFORCE != 0 && facts.flags & OBSERVE == 0 && !facts.off);
                prop_assert!(facts.unpaired.is_none() && facts.readers.is_ok() && facts.habits.is_ok() && !facts.unread);
                let later = Facts { alone: false, waits: false, flags: facts.flags & !RETIRE, wrongly: None, ..facts };
                prop_assert_eq!(promoted(later, true), Step::Remain);
            }
            Step::Wait(_) => {}
            other => prop_assert!(false, "a candidate does {other:?}"),
        }
    }

    #[test]
    fn what_is_there_leaves_or_remains(facts in facts(), wholly in any::<bool>()) {
        prop_assert!(matches!(promoted(facts, wholly), Step::Leave(_) | Step::Remain));
    }

    /// What costs is not asked of quiet connections.
    #[test]
    fn quiet_ones_are_not_weighed(mut facts in facts()) {
        facts.segments[0] = 0;
        let _ = step(true, &mut facts, true);
        prop_assert!(!facts.weighed);
    }
}
