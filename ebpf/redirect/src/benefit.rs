//! Does a redirected sender gain? Each end writes down now and then how much it has sent, and looks at what the other has. A
//! stream of small messages with nothing in return is faster over TCP, and so is one whose messages have to pass anyway: it
//! passes, and leaves.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use meshaccel_abi::redirect::connection::{LOOKS_EVERY, PEER_READY, SAYS_EVERY};
use meshaccel_abi::redirect::{Connection, Reason};
use meshaccel_decide::redirect::benefit;

use crate::leaving::want;
use crate::maps::ma_ends;
use crate::port_history;

/// After each message of a promoted socket.
#[inline(always)]
pub fn weigh(connection: &mut Connection) {
    let sent = connection.sender.decided;
    if sent & (SAYS_EVERY - 1) != 0 {
        return;
    }
    if let Some(record) = ma_ends.get_ptr_mut(connection.id) {
        // SAFETY: this end's own record; nobody else writes this field.
        unsafe { write_volatile(&raw mut (*record).sent, sent as u32) }
    }
    // One that is not in the SOCKHASH does not count what it sends.
    if sent & (LOOKS_EVERY - 1) == 0 && connection.peer.state == PEER_READY {
        look(connection);
    }
}

#[inline(always)]
fn look(connection: &mut Connection) {
    let Some(peer) = ma_ends.get_ptr(connection.id.peer()) else { return };
    // SAFETY: readable while the program runs (RCU).
    let peer_sent = unsafe { read_volatile(&raw const (*peer).sent) };
    let bytes = connection.sender.redirected.bytes + connection.sender.passed.bytes;
    let redirected = connection.sender.redirected.messages as u32;
    let most_pass = redirected.wrapping_sub(connection.gain.redirected_seen) < LOOKS_EVERY as u32 / 2;
    connection.gain.redirected_seen = redirected;
    connection.gain.passed_looks = if most_pass { connection.gain.passed_looks + 1 } else { 0 };
    if peer_sent == connection.gain.peer_sent_seen {
        connection.gain.one_way_looks += 1;
    } else {
        connection.gain.peer_sent_seen = peer_sent;
        connection.gain.one_way_looks = 0;
        connection.gain.one_way_bytes = bytes;
    }
    let bytes = bytes.wrapping_sub(connection.gain.one_way_bytes);
    if let Some(reason) = benefit::none(connection.gain.one_way_looks, bytes, connection.gain.passed_looks) {
        give_up(connection, reason);
    }
}

/// This end's messages pass from now on, and both ends leave.
#[inline(always)]
fn give_up(connection: &mut Connection, reason: Reason) {
    if connection.gain.no_gain == 0 {
        connection.gain.no_gain = reason as u32;
        // SAFETY: no arguments.
        connection.gain.given_up_at = unsafe { bpf_ktime_get_ns() };
        port_history::no_gain(connection);
        want(&connection.id.peer(), reason as u32);
        want(&connection.id, reason as u32);
    }
}
