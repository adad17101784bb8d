//! The behaviours, a file a topic. In each, the connection has run redirected both ways before the first line, so every
//! option is set and every odd call is made on a socket that is redirected already.

use super::Behaviour;

macro_rules! topics {
    ($($topic:ident),+ $(,)?) => {
        $(mod $topic;)+
        const TOPICS: &[&[Behaviour]] = &[$($topic::BEHAVIOURS),+];
    };
}

topics!(
    peek,
    wait_all,
    truncate,
    urgent,
    cork,
    low_water,
    inquiry,
    time_stamps,
    splice,
    send_file,
    zero_copy,
    close,
    shut_down,
    reset,
    poll,
    epoll,
    full,
    time_outs,
    vectors,
    edges,
    interrupts,
    many,
    handed_over,
    options,
    live_options,
    layers,
    rings,
);

/// Every behaviour; with `MESHACCEL_BEHAVIOURS` in the environment those whose name contains it.
pub fn all() -> Vec<Behaviour> {
    let wanted = std::env::var("MESHACCEL_BEHAVIOURS").unwrap_or_default();
    TOPICS.concat().into_iter().filter(|behaviour| behaviour.name.contains(&wanted)).collect()
}
