//! A connection that was not recorded, because those of its port are short, and lives longer. TCP reports its round trips: then
//! it is recorded as one that was open before.

use core::ffi::c_void;

use aya_ebpf::programs::SockOpsContext;
use meshaccel_abi::redirect::{EndId, Role};

use crate::context::key;
use crate::record::record_open;
use crate::socket::Own;
use crate::{port_history, room};

/// A round trip. True: no more of these reports.
#[inline(always)]
pub fn look(ctx: &SockOpsContext, socket: *mut c_void, own: Own) -> bool {
    if !meshaccel_decide::redirect::port_history::outlives(own.segments_in(), own.segments_out()) {
        return false;
    }
    let key = key(ctx, own, own.netns_cookie());
    if let Some(role) = port_history::role(&key) {
        // An active end's bytes_acked counts its SYN.
        let sent = own.sent_base().wrapping_add(u32::from(role == Role::Active));
        if let Some(policy) = record_open(socket, own, &key, EndId::at(role, sent, own.received_base())) {
            room::make(ctx.ops.cast(), own, policy);
        }
    }
    true
}
