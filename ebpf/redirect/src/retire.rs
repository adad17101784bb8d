//! Iterator of uninstall: takes drained sockets out of the SOCKHASH, and writes one byte for each that remains.
//!
//! Whoever reads it has switched the node off. With the node switched on it does nothing but count. This is the contract
//! between versions: see `meshaccel_abi::redirect::names`.

use aya_ebpf::helpers::generated::bpf_seq_write;
use meshaccel_abi::redirect::connection::STATE_CANDIDATE;
use meshaccel_abi::redirect::policy::NODE_SWITCH;
use meshaccel_abi::redirect::visit::{PENDING, PENDING_GATE};
use meshaccel_abi::redirect::{Connection, Reason};

use crate::alone;
use crate::iterator::FileIterator;
use crate::leaving::{leave, want};
use crate::maps::ma_ends;
use crate::record::refresh;
use crate::socket::Own;
use crate::switch::is_off;

#[unsafe(link_section = "iter/task_file")]
#[unsafe(no_mangle)]
pub fn ma_retire(ctx: *mut FileIterator) -> u32 {
    let Some((own, connection)) = FileIterator::read(ctx) else { return 0 };
    let Some(record) = ma_ends.get_ptr_mut(connection.id) else { return 0 };
    // One that somebody else visits just now remains until it is seen.
    if alone::visit(record, || take_out(own, connection)) == Some(true) {
        return 0;
    }
    let one = [1u8];
    // SAFETY: one byte on the stack.
    unsafe { bpf_seq_write(FileIterator::output(ctx), one.as_ptr().cast(), 1) };
    0
}

/// Is it out of the SOCKHASH by now?
#[inline(always)]
fn take_out(own: Own, connection: &mut Connection) -> bool {
    refresh(connection);
    if connection.membership.state == STATE_CANDIDATE {
        return true;
    }
    if !is_off(NODE_SWITCH) {
        return false;
    }
    want(&connection.id, Reason::SwitchedOff as u32);
    !matches!(leave::<true>(own, connection), PENDING | PENDING_GATE)
}
