//! How applications use their sockets: what the tracepoints have seen (`meshaccel_abi::redirect::habit`), by port and by socket.
//!
//! Nothing in a socket tells how its reader will read next. So what is seen once holds for that socket, and for those of the
//! same port of its pod, for good.

use core::ptr::{read_volatile, write_volatile};

use meshaccel_abi::redirect::connection::SIDE_SIDECAR;
use meshaccel_abi::redirect::habit::{ASKS, PORTS_OF_A_POD, READS_ODDLY, SPLICES};
use meshaccel_abi::redirect::policy::KNOWN_PROXY;
use meshaccel_abi::redirect::{Connection, EndId, EndRecord, Event, PortKey, SocketKey};
use meshaccel_decide::redirect::habits::{Kernel, tells_readers_apart};

use crate::barrier::{barrier, set};
use crate::maps::{ma_habits, ma_pod_habits, ma_policies, offset};
use crate::{counters, port_history};

/// This kernel, as the daemon found it.
#[inline(always)]
pub fn kernel() -> Kernel {
    Kernel { fionread: offset!(fionread), blocking_waits: offset!(blocking_waits) != 0, seen: offset!(habits_seen) }
}

/// What is known of an end's port; `slot` is its pod's.
#[inline(always)]
pub fn of_port(slot: u32, key: &SocketKey, id: &EndId) -> u32 {
    // SAFETY: a live value.
    let everywhere =
        ma_pod_habits.get_ptr(slot).map_or(0, |pod| unsafe { read_volatile(&raw const (*pod).everywhere) });
    // SAFETY: one number is read, to which others may add meanwhile.
    everywhere | unsafe { ma_habits.get(port_history::of(key, id)) }.map_or(0, |habits| *habits)
}

/// What is known of a sender's peer: its port's habits, which are kept until something is added for the peer's pod, and those
/// of the socket itself.
#[inline(always)]
pub fn of_peer(connection: &mut Connection, peer: Option<&EndRecord>) -> u32 {
    // SAFETY: a live value.
    let changes = ma_pod_habits
        .get_ptr(connection.peer.slot)
        .map_or(0, |pod| unsafe { read_volatile(&raw const (*pod).changes) });
    if changes != connection.peer.habits_seen {
        connection.peer.habits_seen = changes;
        connection.peer.habits = of_port(connection.peer.slot, &connection.peer.key, &connection.id.peer());
    }
    // SAFETY: a live value.
    connection.peer.habits | peer.map_or(0, |peer| unsafe { read_volatile(&raw const peer.habits) })
}

/// Is a sender's peer a proxy that is known to have none of these habits? True where that does not matter.
#[inline(always)]
pub fn is_known(connection: &Connection) -> bool {
    if !tells_readers_apart(&kernel()) {
        return true;
    }
    connection.peer.side == SIDE_SIDECAR
        && ma_policies.get(connection.peer.slot).is_some_and(|policy| policy.flags & KNOWN_PROXY != 0)
}

/// Remembers a habit for a port of the pod in `slot`.
#[inline(always)]
pub fn learn(slot: u32, port: PortKey, habit: u32) {
    let Some(pod) = ma_pod_habits.get_ptr_mut(slot) else { return };
    if let Some(habits) = ma_habits.get_ptr_mut(port) {
        if set(habits, habit) & habit != 0 {
            return;
        }
    } else {
        // SAFETY: a live value. Two calls at once may count one together, which the table has room for.
        let full = unsafe { (*pod).ports } >= PORTS_OF_A_POD;
        if full || ma_habits.insert(port, habit, 0).is_err() {
            // SAFETY: as above.
            if set(unsafe { &raw mut (*pod).everywhere }, habit) & habit != 0 {
                return;
            }
        } else {
            // SAFETY: as above.
            unsafe { write_volatile(&raw mut (*pod).ports, (*pod).ports + 1) };
        }
    }
    // SAFETY: as above. After what it tells of.
    barrier(unsafe { &raw mut (*pod).changes });
    counters::event(match habit {
        SPLICES => Event::SpliceSeen,
        ASKS => Event::AskSeen,
        READS_ODDLY => Event::FlagsSeen,
        _ => Event::ToggleSeen,
    });
}
