//! Programs of somebody else, in a handful of instructions: a SOCKHASH with a verdict, and a sock_ops that counts.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};

use super::{
    Attr, MAP_CREATE, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, PROG_ATTACH, PROG_DETACH, PROG_LOAD, call, call_for_fd, put,
};

const MAP_TYPE_ARRAY: u32 = 2;
const MAP_TYPE_SOCKHASH: u32 = 18;
const PROG_TYPE_SOCK_OPS: u32 = 13;
const PROG_TYPE_SK_MSG: u32 = 16;
const PROG_TYPE_SK_SKB: u32 = 14;
const ATTACH_CGROUP_SOCK_OPS: u32 = 3;
const ATTACH_STREAM_VERDICT: u32 = 5;
const ATTACH_SK_MSG_VERDICT: u32 = 7;
const ALLOW_MULTI: u32 = 2;

/// One instruction: opcode, registers (source << 4 | destination), offset, immediate.
type Instruction = (u8, u8, i16, i32);

const RETURN_1: [Instruction; 2] = [(0xb7, 0, 0, 1), (0x95, 0, 0, 0)];

/// Another program's SOCKHASH with a verdict on all that comes in through TCP: it is counted, and passed on.
#[derive(Debug)]
pub struct ForeignVerdict {
    sockmap: ForeignSockmap,
    counter: OwnedFd,
}

impl ForeignVerdict {
    pub fn new() -> Result<Self> {
        let counter = create_map(MAP_TYPE_ARRAY, 4, 8, 1).context("cannot make a counter")?;
        let map = create_map(MAP_TYPE_SOCKHASH, 4, 4, 1024).context("cannot make a SOCKHASH")?;
        let program = load(PROG_TYPE_SK_SKB, ATTACH_STREAM_VERDICT, &counts(&counter))
            .context("cannot load an sk_skb program")?;
        attach(PROG_ATTACH, &map, &program, ATTACH_STREAM_VERDICT, 0).context("cannot attach an sk_skb program")?;
        Ok(Self { sockmap: ForeignSockmap { map, _program: program }, counter })
    }

    /// Puts a connected socket in.
    pub fn insert(&self, key: u32, stream: &TcpStream) -> io::Result<()> {
        self.sockmap.insert(key, stream)
    }

    /// How often something came in.
    pub fn calls(&self) -> Result<u64> {
        count(&self.counter)
    }
}

/// Another installation's SOCKHASH with a program that passes everything.
#[derive(Debug)]
pub struct ForeignSockmap {
    map: OwnedFd,
    _program: OwnedFd,
}

impl ForeignSockmap {
    pub fn new() -> Result<Self> {
        let map = create_map(MAP_TYPE_SOCKHASH, 4, 4, 1024).context("cannot make a SOCKHASH")?;
        let program = load(PROG_TYPE_SK_MSG, 0, &RETURN_1).context("cannot load an sk_msg program")?;
        attach(PROG_ATTACH, &map, &program, ATTACH_SK_MSG_VERDICT, 0).context("cannot attach an sk_msg program")?;
        Ok(Self { map, _program: program })
    }

    /// Puts a connected socket in.
    pub fn insert(&self, key: u32, stream: &TcpStream) -> io::Result<()> {
        let value = stream.as_raw_fd() as u32;
        let mut attr: Attr = [0; 128];
        put(&mut attr, 0, &self.map.as_raw_fd().to_ne_bytes());
        put(&mut attr, 8, &(&raw const key as u64).to_ne_bytes());
        put(&mut attr, 16, &(&raw const value as u64).to_ne_bytes());
        call(MAP_UPDATE_ELEM, &mut attr).map(drop)
    }
}

/// Another installation's sock_ops program on a cgroup: counts how often it is called.
#[derive(Debug)]
pub struct ForeignSockOps {
    cgroup: File,
    counter: OwnedFd,
    program: OwnedFd,
}

impl ForeignSockOps {
    /// Attaches it beside whatever else is there.
    pub fn attach(cgroup: &Path) -> Result<Self> {
        Self::attach_with(cgroup, &[])
    }

    /// One that has each new socket report its round trips, and counts these reports alone.
    pub fn attach_to_round_trips(cgroup: &Path) -> Result<Self> {
        Self::attach_with(
            cgroup,
            &[
                (0xbf, 0x16, 0, 0),  // r6 = r1
                (0x61, 0x62, 0, 0),  // r2 = r6->op
                (0x15, 2, 9, 12),    // if r2 == BPF_SOCK_OPS_RTT_CB go and count
                (0x15, 2, 2, 4),     // if r2 == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB skip two
                (0x15, 2, 1, 5),     // if r2 == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB skip one
                (0x05, 0, 4, 0),     // go to the end
                (0x61, 0x62, 84, 0), // r2 = r6->bpf_sock_ops_cb_flags
                (0x47, 2, 0, 8),     // r2 |= BPF_SOCK_OPS_RTT_CB_FLAG
                (0xbf, 0x61, 0, 0),  // r1 = r6
                (0x85, 0, 0, 59),    // bpf_sock_ops_cb_flags_set(r1, r2)
                (0xb7, 0, 0, 1),     // r0 = 1
                (0x95, 0, 0, 0),     // exit
            ],
        )
    }

    /// `before`: what it does before it counts.
    fn attach_with(cgroup: &Path, before: &[Instruction]) -> Result<Self> {
        let counter = create_map(MAP_TYPE_ARRAY, 4, 8, 1).context("cannot make a counter")?;
        let program = load(PROG_TYPE_SOCK_OPS, ATTACH_CGROUP_SOCK_OPS, &[before, &counts(&counter)].concat())
            .context("cannot load a sock_ops program")?;
        let cgroup = File::open(cgroup).with_context(|| format!("cannot open {}", cgroup.display()))?;
        attach(PROG_ATTACH, &cgroup, &program, ATTACH_CGROUP_SOCK_OPS, ALLOW_MULTI)
            .context("cannot attach a sock_ops program")?;
        Ok(Self { cgroup, counter, program })
    }

    /// How often it was called.
    pub fn calls(&self) -> Result<u64> {
        count(&self.counter)
    }
}

impl Drop for ForeignSockOps {
    fn drop(&mut self) {
        // Programs attached without a link outlive their descriptors.
        let _ = attach(PROG_DETACH, &self.cgroup, &self.program, ATTACH_CGROUP_SOCK_OPS, 0);
    }
}

/// Counts in this map, and says 1: go on (of sock_ops), or pass (of sk_skb).
fn counts(counter: &OwnedFd) -> [Instruction; 11] {
    [
        (0x62, 10, -4, 0),                    // *(u32 *)(r10 - 4) = 0
        (0xbf, 0xa2, 0, 0),                   // r2 = r10
        (0x07, 2, 0, -4),                     // r2 += -4
        (0x18, 0x11, 0, counter.as_raw_fd()), // r1 = the counter's map
        (0, 0, 0, 0),                         //
        (0x85, 0, 0, 1),                      // r0 = bpf_map_lookup_elem(r1, r2)
        (0x15, 0, 2, 0),                      // if r0 == 0 skip two
        (0xb7, 1, 0, 1),                      // r1 = 1
        (0xdb, 0x10, 0, 0),                   // lock *(u64 *)r0 += r1
        (0xb7, 0, 0, 1),                      // r0 = 1
        (0x95, 0, 0, 0),                      // exit
    ]
}

/// What stands in such a map.
fn count(counter: &OwnedFd) -> Result<u64> {
    let (key, mut value) = (0u32, 0u64);
    let mut attr: Attr = [0; 128];
    put(&mut attr, 0, &counter.as_raw_fd().to_ne_bytes());
    put(&mut attr, 8, &(&raw const key as u64).to_ne_bytes());
    put(&mut attr, 16, &(&raw mut value as u64).to_ne_bytes());
    call(MAP_LOOKUP_ELEM, &mut attr).context("cannot read the counter")?;
    Ok(value)
}

fn create_map(kind: u32, key: u32, value: u32, entries: u32) -> io::Result<OwnedFd> {
    let mut attr: Attr = [0; 128];
    for (index, word) in [kind, key, value, entries].into_iter().enumerate() {
        put(&mut attr, index * 4, &word.to_ne_bytes());
    }
    put(&mut attr, 28, b"e2e_foreign");
    call_for_fd(MAP_CREATE, &mut attr)
}

fn load(kind: u32, attach_type: u32, instructions: &[Instruction]) -> io::Result<OwnedFd> {
    let code: Vec<u8> = instructions
        .iter()
        .flat_map(|(opcode, registers, offset, immediate)| {
            let [o0, o1] = offset.to_ne_bytes();
            let [i0, i1, i2, i3] = immediate.to_ne_bytes();
            [*opcode, *registers, o0, o1, i0, i1, i2, i3]
        })
        .collect();
    let mut attr: Attr = [0; 128];
    put(&mut attr, 0, &kind.to_ne_bytes());
    put(&mut attr, 4, &(instructions.len() as u32).to_ne_bytes());
    put(&mut attr, 8, &(code.as_ptr() as u64).to_ne_bytes());
    put(&mut attr, 16, &(c"GPL".as_ptr() as u64).to_ne_bytes());
    put(&mut attr, 48, b"e2e_foreign");
    put(&mut attr, 68, &attach_type.to_ne_bytes());
    call_for_fd(PROG_LOAD, &mut attr)
}

fn attach(command: i32, target: &impl AsFd, program: &OwnedFd, kind: u32, flags: u32) -> io::Result<()> {
    let mut attr: Attr = [0; 128];
    put(&mut attr, 0, &target.as_fd().as_raw_fd().to_ne_bytes());
    put(&mut attr, 4, &program.as_raw_fd().to_ne_bytes());
    put(&mut attr, 8, &kind.to_ne_bytes());
    put(&mut attr, 12, &flags.to_ne_bytes());
    call(command, &mut attr).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::Object;

    #[test]
    fn what_a_foreigner_loads_is_listed_and_what_it_drops_is_gone() {
        let foreign = ForeignSockmap::new().unwrap();
        let listed = Object::all("e2e_foreign").unwrap();
        let ours = |objects: &crate::bpf::Objects| objects.iter().filter(|object| listed.contains(object)).count();
        assert!(listed.len() >= 2, "{listed:?}");
        drop(foreign);
        // Maps and programs are freed after a grace period.
        crate::wait::wait_until(std::time::Duration::from_secs(10), "the objects to go", || {
            Object::all("e2e_foreign").is_ok_and(|objects| ours(&objects) == 0).then_some(())
        })
        .unwrap();
    }
}
