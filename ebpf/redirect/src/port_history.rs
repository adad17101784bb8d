//! What the connections of a port have taught.

use meshaccel_abi::redirect::{Connection, EndId, PortHistory, PortKey, Role, SocketKey};
use meshaccel_decide::redirect::port_history;

use crate::maps::ma_histories;

/// The port of an end.
#[inline(always)]
pub fn of(key: &SocketKey, id: &EndId) -> PortKey {
    at(key, id.role)
}

/// The port of the connection, were this its end with that role.
#[inline(always)]
fn at(key: &SocketKey, role: u32) -> PortKey {
    let port = if role == Role::Active as u32 { key.remote.port() } else { key.local.port() };
    PortKey { netns_cookie: key.netns_cookie, port, role: role as u16, zero: 0 }
}

/// Leave this connection unrecorded?
#[inline(always)]
pub fn skips(key: &SocketKey, id: &EndId) -> bool {
    // SAFETY: one field is read, which may change meanwhile.
    let learnt = unsafe { ma_histories.get(of(key, id)) };
    learnt.is_some_and(|learnt| port_history::skips(learnt.short_lived, id))
}

/// Which end of an unrecorded connection this is: the one whose port has taught something. (An active end's own port is one
/// of those that the kernel picks. Should both have, nobody can tell.)
#[inline(always)]
pub fn role(key: &SocketKey) -> Option<Role> {
    // SAFETY: whether it is there is all that is asked.
    let taught = |role: Role| unsafe { ma_histories.get(at(key, role as u32)) }.is_some();
    match (taught(Role::Active), taught(Role::Passive)) {
        (true, false) => Some(Role::Active),
        (false, true) => Some(Role::Passive),
        _ => None,
    }
}

/// Were connections of this port promoted in vain, since the last that was not?
#[inline(always)]
pub fn no_gain_before(connection: &Connection) -> bool {
    // SAFETY: one field is read, which may change meanwhile.
    unsafe { ma_histories.get(of(&connection.key, &connection.id)) }.is_some_and(|learnt| learnt.no_gain != 0)
}

/// A recorded connection ends.
#[inline(always)]
pub fn ended(connection: &Connection) {
    let (redirected, passed) = (connection.sender.redirected.messages, connection.sender.passed.messages);
    if redirected == 0 && passed == 0 {
        learn(of(&connection.key, &connection.id), |learnt| {
            learnt.short_lived = learnt.short_lived.saturating_add(1);
        });
        return;
    }
    gained(connection);
    if port_history::pays(redirected, passed) {
        forget(of(&connection.key, &connection.id), |learnt| learnt.no_gain = 0);
    }
}

/// A connection was worth promoting.
#[inline(always)]
pub fn gained(connection: &Connection) {
    forget(of(&connection.key, &connection.id), |learnt| learnt.short_lived = 0);
}

/// A connection was promoted in vain.
#[inline(always)]
pub fn no_gain(connection: &Connection) {
    learn(of(&connection.key, &connection.id), |learnt| learnt.no_gain = learnt.no_gain.saturating_add(1));
}

/// Two ends at once may lose a count.
#[inline(always)]
fn learn(key: PortKey, change: impl Fn(&mut PortHistory)) {
    if let Some(learnt) = ma_histories.get_ptr_mut(key) {
        // SAFETY: a value of the map.
        return change(unsafe { &mut *learnt });
    }
    let mut first = PortHistory { short_lived: 0, no_gain: 0 };
    change(&mut first);
    let _ = ma_histories.insert(key, first, 0);
}

/// Changes what was learnt, if anything was.
#[inline(always)]
fn forget(key: PortKey, change: impl Fn(&mut PortHistory)) {
    if let Some(learnt) = ma_histories.get_ptr_mut(key) {
        // SAFETY: a value of the map.
        change(unsafe { &mut *learnt });
    }
}
