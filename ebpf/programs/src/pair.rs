//! Finding the other end of a connection by both sequence numbers (invariant 1).

use crate::maps::ma_ends;
use crate::record::policy_in;
use crate::socket::Other;
use core::ptr::write_volatile;
use meshaccel_abi::connection::PEER_PAIRED;
use meshaccel_abi::{Connection, EndRecord, Reason};
use meshaccel_decide::pairing::{End, allowed};

/// The peer's record, where policy allows redirection to it.
pub type Found = Result<&'static EndRecord, Reason>;

/// Looks for the peer of a connection whose pod's policy has these flags.
#[inline(always)]
pub fn find(connection: &Connection, flags: u32) -> Found {
    // SAFETY: the value stays readable while the program runs (RCU); a record that is removed meanwhile leads to a
    // key that the SOCKHASH does not hold.
    let Some(peer) = (unsafe { ma_ends.get(connection.id.peer()) }) else { return Err(Reason::Unpaired) };
    let Some(peer_policy) = policy_in(peer.slot, peer.key.netns_cookie) else { return Err(Reason::NotEnforced) };
    let local = End { slot: connection.slot, side: connection.side, flags };
    allowed(&local, &End { slot: peer.slot, side: peer.side, flags: peer_policy.flags })?;
    Ok(peer)
}

/// Writes the peer down at this end.
#[inline(always)]
pub fn write(connection: &mut Connection, peer: &EndRecord) {
    for (to, from) in connection.peer_key.words_mut().iter_mut().zip(peer.key.words()) {
        // SAFETY: a live value. Volatile: from one map's value to another's the compiler would call memmove, and the verifier
        // would follow it byte by byte.
        unsafe { write_volatile(to, *from) };
    }
    connection.peer_socket = peer.socket;
    connection.peer_file = Other(peer.socket).file();
    connection.peer_slot = peer.slot;
    connection.peer_side = peer.side;
    // What its application does has to be found out.
    connection.habits_seen = u64::MAX;
    connection.peer_state = PEER_PAIRED;
}
