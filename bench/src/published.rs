//! The published design (`ebpf/published`), loaded for a cgroup of the benchmark's own processes, and removed whole.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::maps::{MapData, SockHash};
use aya::programs::{CgroupAttachMode, Program, SkMsg, SockOps};
use meshaccel_e2e_harness::cgroup::Cgroup;

/// Bytes, aligned as ELF wants them.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/published.bpf.o")));

/// Local and remote address, local and remote port: only passed on.
type Tuple = [u32; 4];

/// Accelerates every connection that processes of the cgroup make from now on.
#[derive(Debug)]
pub struct Published {
    object: Ebpf,
}

impl Published {
    pub fn attach(cgroup: &Cgroup) -> Result<Self> {
        let mut object = Ebpf::load(&OBJECT.0).context("cannot load the published design")?;
        let sockets: SockHash<_, Tuple> = object.map("pub_sockets").context("no SOCKHASH")?.try_into()?;
        let sockets = sockets.fd().try_clone()?;
        let verdict: &mut SkMsg = object.program_mut("pub_skmsg").context("no sk_msg program")?.try_into()?;
        verdict.load()?;
        verdict.attach(&sockets)?;
        let record: &mut SockOps = object.program_mut("pub_sockops").context("no sock_ops program")?.try_into()?;
        record.load()?;
        let folder = std::fs::File::open(cgroup.path())?;
        // A link stands beside other programs whatever the mode; the kernel refuses the flag.
        record.attach(folder, CgroupAttachMode::Single).context("cannot attach to the cgroup")?;
        Ok(Self { object })
    }

    /// Sockets that are in its SOCKHASH now.
    pub fn sockets(&self) -> Result<usize> {
        let sockets: SockHash<&MapData, Tuple> = self.object.map("pub_sockets").context("no SOCKHASH")?.try_into()?;
        Ok(sockets.keys().flatten().count())
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Some(Program::SockOps(record)) = self.object.program_mut("pub_sockops") {
            let _ = record.unload();
        }
        // A socket holds the program that redirects it, and the program holds the map: what is still open would go on.
        let Some(map) = self.object.map_mut("pub_sockets") else { return };
        let Ok(mut sockets) = SockHash::<&mut MapData, Tuple>::try_from(map) else { return };
        let keys: Vec<Tuple> = sockets.keys().flatten().collect();
        for key in keys {
            let _ = sockets.remove(&key);
        }
    }
}
