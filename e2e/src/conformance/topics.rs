//! The behaviours, a file a topic. In each, the connection has run redirected both ways before the first line, so every
//! option is set and every odd call is made on a socket that is redirected already.

mod close;
mod cork;
mod edges;
mod epoll;
mod full;
mod inquiry;
mod low_water;
mod peek;
mod poll;
mod reset;
mod send_file;
mod shut_down;
mod splice;
mod time_outs;
mod time_stamps;
mod truncate;
mod urgent;
mod vectors;
mod wait_all;
mod zero_copy;

use super::Behaviour;

/// Every behaviour; with `MESHACCEL_BEHAVIOURS` in the environment those whose name contains it.
pub fn all() -> Vec<Behaviour> {
    let topics = [
        peek::BEHAVIOURS,
        wait_all::BEHAVIOURS,
        truncate::BEHAVIOURS,
        urgent::BEHAVIOURS,
        cork::BEHAVIOURS,
        low_water::BEHAVIOURS,
        inquiry::BEHAVIOURS,
        time_stamps::BEHAVIOURS,
        splice::BEHAVIOURS,
        send_file::BEHAVIOURS,
        zero_copy::BEHAVIOURS,
        close::BEHAVIOURS,
        shut_down::BEHAVIOURS,
        reset::BEHAVIOURS,
        poll::BEHAVIOURS,
        epoll::BEHAVIOURS,
        full::BEHAVIOURS,
        time_outs::BEHAVIOURS,
        vectors::BEHAVIOURS,
        edges::BEHAVIOURS,
    ];
    let wanted = std::env::var("MESHACCEL_BEHAVIOURS").unwrap_or_default();
    topics.concat().into_iter().filter(|behaviour| behaviour.name.contains(&wanted)).collect()
}
