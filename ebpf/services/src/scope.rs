//! Whose sockets these are, and whether a VIP of theirs is translated.

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::helpers::generated::{bpf_get_current_uid_gid, bpf_get_netns_cookie};
use meshaccel_abi::services::scope::NODE;
use meshaccel_abi::services::{Reason, Scope, ServiceIndex, Vip};
use meshaccel_decide::services::sidecar::{Verdict, verdict};

use crate::counters::count;
use crate::maps::{ma_scopes, ma_vips};

/// A network namespace whose sockets are translated.
pub struct Place {
    pub netns_cookie: u64,
    pub scope: &'static Scope,
}

/// That of a call, if it is one.
#[inline(always)]
pub fn of(context: *mut bpf_sock_addr) -> Option<Place> {
    // SAFETY: the context of this program.
    let netns_cookie = unsafe { bpf_get_netns_cookie(context.cast()) };
    // SAFETY: readable while the program runs (RCU); the daemon replaces whole entries.
    Some(Place { netns_cookie, scope: unsafe { ma_scopes.get(netns_cookie) }? })
}

/// The Service that is named, should the call be translated.
#[inline(always)]
pub fn service(place: &Place, vip: &Vip) -> Option<u32> {
    // SAFETY: as above.
    let &ServiceIndex { index, node_only } = unsafe { ma_vips.get(vip) }?;
    if node_only != 0 && place.scope.flags & NODE == 0 {
        return None;
    }
    // SAFETY: no arguments.
    let uid = unsafe { bpf_get_current_uid_gid() } as u32;
    match verdict(place.scope, uid, vip) {
        Verdict::Translate => Some(index),
        Verdict::NotAsked => None,
        Verdict::Sidecar => {
            count(Reason::Sidecar);
            None
        }
    }
}
