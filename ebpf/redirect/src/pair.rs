//! Finding the other end of a connection by both sequence numbers (invariant 1).

use core::ptr::write_volatile;

use meshaccel_abi::redirect::connection::PEER_PAIRED;
use meshaccel_abi::redirect::{Connection, EndRecord, Reason};
use meshaccel_decide::redirect::pairing::{End, allowed};

use crate::maps::ma_ends;
use crate::record::policy_in;
use crate::socket::Other;

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
    for (to, from) in connection.peer.key.words_mut().iter_mut().zip(peer.key.words()) {
        // SAFETY: a live value. Volatile: from one map's value to another's the compiler would call memmove, and the verifier
        // would follow it byte by byte.
        unsafe { write_volatile(to, *from) };
    }
    connection.peer.socket = peer.socket;
    connection.peer.file = Other(peer.socket).file();
    connection.peer.slot = peer.slot;
    connection.peer.side = peer.side;
    // What its application does has to be found out.
    connection.peer.habits_seen = u64::MAX;
    connection.peer.state = PEER_PAIRED;
}
