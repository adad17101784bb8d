//! Reads of other sockets without a call. `bpf_rdonly_cast` is a kernel function: its number is that of a type in the running
//! kernel's BTF, so the call is put into the object before it is loaded. aya 0.14 does not know such calls.

use meshaccel_abi::CAST;

use super::btf::{Btf, FUNC};
use crate::sys::bpf;

/// An instruction, as the object holds it.
type Instruction = [u8; 8];

const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL`, as the source register.
const OF_KERNEL_FUNCTION: u8 = 2 << 4;
/// r0 = 0
const NOTHING: Instruction = [0xb7, 0, 0, 0, 0, 0, 0, 0];

/// The number of the kernel function where this kernel casts any memory (Linux 6.17), or 0. Found out by doing it.
pub fn find(btf: &Btf) -> u32 {
    let Some(id) = btf.id("bpf_rdonly_cast", FUNC) else { return 0 };
    let call = u64::from_le_bytes(call(id));
    // r1 = 0; r2 = 0; call; r1 = *(u32 *)(r0 + 8); r0 = 1; exit
    let program = [0x01b7, 0x02b7, call, 0x0008_0161, 0x0000_0001_0000_00b7, 0x95];
    match bpf::try_load_sk_msg(&program) {
        Ok(()) => id,
        Err(error) => {
            tracing::debug!(%error, "Other sockets are read by bpf_probe_read_kernel");
            0
        }
    }
}

/// The object with the calls put in; without such a function (0) nothing leads to them.
pub fn put_in(object: &[u8], function: u32) -> Vec<u8> {
    let placeholder = call_with(0, CAST as u32);
    let mut patched = object.to_vec();
    for instruction in patched.chunks_exact_mut(8).filter(|instruction| **instruction == placeholder) {
        instruction.copy_from_slice(&call(function));
    }
    patched
}

fn call(function: u32) -> Instruction {
    if function == 0 { NOTHING } else { call_with(OF_KERNEL_FUNCTION, function) }
}

fn call_with(registers: u8, immediate: u32) -> Instruction {
    let [a, b, c, d] = immediate.to_le_bytes();
    [CALL, registers, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use meshaccel_object::REDIRECT;

    use super::*;

    #[test]
    fn the_object_has_places_for_the_call_and_nothing_else_changes() {
        let calls = |object: &[u8], one: Instruction| object.chunks_exact(8).filter(|bytes| **bytes == one).count();
        let placeholder = call_with(0, CAST as u32);
        let places = calls(REDIRECT, placeholder);
        assert!(places > 8, "{places}");
        let patched = put_in(REDIRECT, 77);
        assert_eq!(calls(&patched, call(77)), places);
        assert_eq!(calls(&patched, placeholder), 0);
        let differing = REDIRECT.chunks_exact(8).zip(patched.chunks_exact(8)).filter(|(one, other)| one != other);
        assert_eq!(differing.count(), places);
        assert_eq!(calls(&put_in(REDIRECT, 0), placeholder), 0);
    }
}
