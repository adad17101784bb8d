use meshaccel_abi::redirect::connection::PEER_PAIRED;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Fake {
    record: Option<(u32, u32)>,
    copied: Option<u32>,
    queue: Option<Queue>,
    reading: Option<Reading>,
    waits: bool,
}

impl Peer for Fake {
    fn record(&self) -> Option<(u32, u32)> {
        self.record
    }
    fn copied_sequence(&self) -> Option<u32> {
        self.copied
    }
    fn reading(&self) -> Option<Reading> {
        self.reading
    }
    fn queue(&self) -> Option<Queue> {
        self.queue
    }
    fn waits_for_acknowledgement(&self) -> bool {
        self.waits
    }
}

const BUFFER: u32 = 1 << 20;
const EMPTY: Option<Queue> = Some(Queue { empty: true, bytes: Some(0), receive_buffer: BUFFER });

fn sender() -> Sender {
    Sender {
        node_off: false,
        pod_off: false,
        enforced: true,
        path: Path::Fresh,
        no_gain: None,
        peer_refuses: None,
        sending: Sending::PLAIN,
        blocking_waits: false,
        unacknowledged: 0,
        received: 0,
        last_verdict: Reason::Redirected as u32,
        peer_state: PEER_READY,
        write_sequence: 1000,
        clean_sequence: Some(1000),
        messages: 0,
        bytes: 0,
        max_messages: 64,
        max_bytes: 262_144,
        size: 64,
    }
}

fn peer() -> Fake {
    Fake {
        record: Some((STATE_PROMOTED_EARLY, 0)),
        copied: Some(1000),
        queue: EMPTY,
        reading: Some(Reading::PLAIN),
        waits: true,
    }
}

#[test]
fn a_clean_ready_direction_redirects() {
    assert_eq!(verdict(&sender(), &peer()), Ok(Redirect { messages: 1, bytes: 64 }));
}

#[test]
fn each_obstacle_gives_its_reason() {
    let cases: [(Reason, Sender, Fake); 19] = [
        (Reason::OneWay, Sender { no_gain: Some(Reason::OneWay), ..sender() }, peer()),
        (Reason::SenderFlags, Sender { sending: Sending { corked: true, ..Sending::PLAIN }, ..sender() }, peer()),
        (Reason::SenderUnseen, Sender { sending: Sending { flags: None, ..Sending::PLAIN }, ..sender() }, peer()),
        (Reason::ReaderSplices, Sender { peer_refuses: Some(Reason::ReaderSplices), ..sender() }, peer()),
        (Reason::ReaderOptions, sender(), Fake { reading: Some(Reading { low_water: 9, ..Reading::PLAIN }), ..peer() }),
        (Reason::PeerUnreadable, sender(), Fake { reading: None, ..peer() }),
        (Reason::PathKeptAlive, Sender { path: Path::Due, ..sender() }, peer()),
        (Reason::Leaving, sender(), Fake { record: Some((STATE_LEAVING, 0)), ..peer() }),
        (Reason::SwitchedOff, Sender { node_off: true, pod_off: true, ..sender() }, peer()),
        (Reason::PodSwitchedOff, Sender { pod_off: true, ..sender() }, peer()),
        (Reason::NotEnforced, Sender { enforced: false, ..sender() }, peer()),
        (Reason::Unpaired, Sender { peer_state: PEER_UNKNOWN, ..sender() }, peer()),
        (Reason::PeerGone, Sender { peer_state: PEER_PAIRED, ..sender() }, Fake { record: None, ..peer() }),
        (
            Reason::PeerNotPromoted,
            Sender { peer_state: PEER_PAIRED, ..sender() },
            Fake { record: Some((STATE_CANDIDATE, 0)), ..peer() },
        ),
        (
            Reason::Leaving,
            Sender { peer_state: PEER_PAIRED, ..sender() },
            Fake { record: Some((STATE_LEAVING, 0)), ..peer() },
        ),
        (Reason::OrderBarrier, Sender { clean_sequence: None, ..sender() }, Fake { copied: Some(999), ..peer() }),
        (Reason::PeerUnreadable, Sender { clean_sequence: None, ..sender() }, Fake { copied: None, ..peer() }),
        (
            Reason::MessageBudget,
            Sender { messages: 64, ..sender() },
            Fake { queue: Some(Queue { empty: false, bytes: Some(64), receive_buffer: BUFFER }), ..peer() },
        ),
        (
            Reason::ByteBudget,
            sender(),
            Fake { queue: Some(Queue { empty: false, bytes: Some(262_144), receive_buffer: BUFFER }), ..peer() },
        ),
    ];
    for (reason, sender, peer) in cases {
        assert_eq!(verdict(&sender, &peer), Err(reason), "{sender:?} {peer:?}");
    }
}

#[test]
fn what_a_peer_waits_for_is_acknowledged_where_nothing_of_its_own_is_in_the_way() {
    let owing = Sender { unacknowledged: 64, received: 64, ..sender() };
    assert_eq!(verdict(&owing, &peer()), Err(Reason::OwesAcknowledgement));
    assert!(verdict(&owing, &Fake { waits: false, ..peer() }).is_ok());
    let behind = Queue { empty: false, bytes: Some(64), receive_buffer: BUFFER };
    assert!(verdict(&owing, &Fake { queue: Some(behind), ..peer() }).is_ok());
    // What came before this end's last message; what may be the answer to an acknowledgement.
    assert!(verdict(&Sender { received: 0, ..owing }, &peer()).is_ok());
    assert!(verdict(&Sender { last_verdict: Reason::OwesAcknowledgement as u32, ..owing }, &peer()).is_ok());
}

#[test]
fn a_late_promoted_peer_must_have_read_once() {
    let sender = Sender { peer_state: PEER_PAIRED, ..sender() };
    let unread = Fake { record: Some((STATE_PROMOTED_LATE, 1000)), ..peer() };
    assert_eq!(verdict(&sender, &unread), Err(Reason::ReaderNotSeen));
    let has_read = Fake { record: Some((STATE_PROMOTED_LATE, 900)), ..peer() };
    assert!(verdict(&sender, &has_read).is_ok());
}

#[test]
fn after_a_pass_the_peer_must_read_before_the_next_redirect() {
    let after_pass = Sender { clean_sequence: None, write_sequence: 1064, ..sender() };
    assert_eq!(verdict(&after_pass, &peer()), Err(Reason::OrderBarrier));
    assert!(verdict(&after_pass, &Fake { copied: Some(1064), ..peer() }).is_ok());
}

#[test]
fn a_message_larger_than_the_budget_takes_tcp() {
    assert_eq!(verdict(&Sender { size: 544 * 1024, ..sender() }, &peer()), Err(Reason::ByteBudget));
}

#[test]
fn a_body_may_follow_its_header() {
    let header = Some(Queue { empty: false, bytes: Some(300), receive_buffer: 131_072 });
    let behind = |size| verdict(&Sender { size, ..sender() }, &Fake { queue: header, ..peer() });
    assert!(behind(100_000).is_ok());
    assert_eq!(behind(262_145), Err(Reason::ByteBudget));
    let more = Some(Queue { empty: false, bytes: Some(20_000), receive_buffer: 131_072 });
    let next = verdict(&Sender { size: 100_000, ..sender() }, &Fake { queue: more, ..peer() });
    assert_eq!(next, Err(Reason::ByteBudget));
}

#[test]
fn the_path_is_kept_alive_when_nothing_waits() {
    let due = Sender { path: Path::Due, ..sender() };
    let waiting = Some(Queue { empty: false, bytes: Some(64), receive_buffer: BUFFER });
    assert!(verdict(&due, &Fake { queue: waiting, ..peer() }).is_ok());
}

#[test]
fn half_of_the_receive_buffer_is_left_to_tcp() {
    let small = Fake { queue: Some(Queue { empty: true, bytes: Some(0), receive_buffer: 4608 }), ..peer() };
    assert!(verdict(&Sender { size: 2304, ..sender() }, &small).is_ok());
    assert_eq!(verdict(&Sender { size: 2305, ..sender() }, &small), Err(Reason::ByteBudget));
}

/// A queue that is filled by verdicts and drained by a reader: whatever the two do, it stays within its bounds.
fn bounded_queue(counted: bool, steps: &[(u16, bool)]) {
    let (mut waiting, mut sender) = (Vec::<u32>::new(), Sender { max_messages: 8, max_bytes: 4096, ..sender() });
    for &(size, read) in steps {
        if read {
            waiting.pop();
        }
        sender.size = u32::from(size);
        let bytes: u32 = waiting.iter().sum();
        let queue = Some(Queue { empty: waiting.is_empty(), bytes: counted.then_some(bytes), receive_buffer: BUFFER });
        if let Ok(redirect) = verdict(&sender, &Fake { queue, ..peer() }) {
            (sender.messages, sender.bytes) = (redirect.messages, redirect.bytes);
            waiting.push(sender.size);
        }
        assert!(waiting.len() <= 8, "{} messages wait", waiting.len());
        let bytes: u32 = waiting.iter().sum();
        // One message may overdraw.
        assert!(bytes <= 2 * 4096 + 16 * 1024, "{bytes} bytes wait");
    }
}

proptest! {
    #[test]
    fn queues_stay_bounded(counted: bool, steps in proptest::collection::vec((0u16..6000, any::<bool>()), 1..200)) {
        bounded_queue(counted, &steps);
    }

    #[test]
    fn nothing_overtakes_unread_tcp_bytes(write: u32, copied: u32, clean: Option<u32>) {
        let sender = Sender { write_sequence: write, clean_sequence: clean, ..sender() };
        let decision = verdict(&sender, &Fake { copied: Some(copied), ..peer() });
        if copied != write && clean != Some(write) {
            prop_assert_eq!(decision, Err(Reason::OrderBarrier));
        } else {
            prop_assert!(decision.is_ok());
        }
    }

    #[test]
    fn off_is_off_whatever_else_holds(pod_only: bool, enforced: bool, peer_state in 0u32..4, clean: Option<u32>) {
        let sender = Sender { node_off: !pod_only, pod_off: true, enforced, peer_state, clean_sequence: clean, ..sender() };
        let reason = if pod_only { Reason::PodSwitchedOff } else { Reason::SwitchedOff };
        prop_assert_eq!(verdict(&sender, &peer()), Err(reason));
    }
}
