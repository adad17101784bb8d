//! What the kernel keeps after very many connections, and whether it has complained.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::kernel_log;
use crate::wait::wait_for;

/// What socket states, maps and their entries may take when all is over, in kB: what the machine does otherwise is in it, too.
const MOST: u64 = 48 << 10;
/// The kernel frees some things when it comes to it.
const SETTLES: Duration = Duration::from_secs(60);

/// The machine before.
pub struct Machine {
    slabs: u64,
}

impl Machine {
    /// As it is now. What it writes from now on counts.
    pub fn observe() -> Result<Self> {
        kernel_log::begin()?;
        Ok(Self { slabs: slabs()? })
    }

    /// As it was, and quiet: by how many kB it has grown.
    pub fn compare(&self) -> Result<u64> {
        let grown = wait_for(SETTLES, "the kernel to free what is over", || {
            let grown = slabs()?.saturating_sub(self.slabs);
            ensure!(grown <= MOST, "{grown} kB of slabs more than before");
            Ok(grown)
        })?;
        let complaints = kernel_log::complaints(&kernel_log::read()?);
        ensure!(complaints.is_empty(), "the kernel complained:\n{}", complaints.join("\n"));
        Ok(grown)
    }
}

/// Slabs that are not to be reclaimed, in kB: sockets and all that belongs to them.
fn slabs() -> Result<u64> {
    kilobytes("SUnreclaim")
}

/// A line of /proc/meminfo.
pub fn kilobytes(what: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    let line = line.with_context(|| format!("/proc/meminfo has no {what} line"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
