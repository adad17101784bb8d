//! From the error that came, and what is seen around it, to its cause. Pure.

use std::io;

use meshaccel_bpf::btf::BtfError;
use meshaccel_bpf::pins::{PinsError, SYSTEM_BPFFS};
use meshaccel_bpf::program::LoadError;

use super::surroundings::{Lockdown, Surroundings};
use super::unsupported::Cause;
use crate::Error;

/// The oldest Linux that has every helper, program type and link that the programs need.
pub const OLDEST: (u32, u32) = (5, 15);

/// Why this error came.
pub fn cause(error: &Error, around: &Surroundings) -> Cause {
    let release = || around.release.clone();
    match error {
        Error::NoCgroup2 { at } => return Cause::NoCgroup2 { at: at.clone() },
        Error::OwnCgroupOnly { at } => return Cause::OwnCgroupOnly { at: at.clone() },
        Error::Pins(PinsError::NotBpffs { path } | PinsError::NotMounted { path }) => {
            return Cause::NoBpffs { at: path.clone() };
        }
        Error::CannotWake => return Cause::Capabilities { lacking: vec!["CAP_SYS_PTRACE"] },
        _ => {}
    }
    let (program, verdict) = match error {
        Error::Load(LoadError::Program { program, verdict, .. }) => (Some(*program), verdict.as_deref()),
        _ => (None, None),
    };
    // The verifier says EACCES, too, and EPERM to whom it does not trust; then there is a verdict in its log.
    let denied = verdict.is_none() && matches!(errno(error), Some(libc::EPERM | libc::EACCES));
    if denied || verdict.is_some() {
        let lacking = lacking(around.capabilities);
        if denied && around.user_namespace {
            return Cause::UserNamespace;
        }
        if !lacking.is_empty() {
            return Cause::Capabilities { lacking };
        }
    }
    if denied {
        return denier(around, program.is_some());
    }
    if let Error::Pins(PinsError::Mount(_)) = error {
        return Cause::NoBpffs { at: SYSTEM_BPFFS.into() };
    }
    // Distributions backport, so a number alone says nothing; but where something is missing, it says why.
    if is_of_kernel(error) && version(&around.release).is_some_and(|version| version < OLDEST) {
        return Cause::TooOld { release: release() };
    }
    match error {
        Error::Btf(BtfError::Read { .. }) | Error::Load(LoadError::Btf(_)) => Cause::NoTypeInformation,
        Error::Btf(BtfError::NoField { structure, field }) => {
            Cause::NoField { release: release(), structure: structure.clone(), field: field.clone() }
        }
        // The helper is there; but under lockdown the verifier says that it is not.
        Error::Load(LoadError::Program { .. })
            if around.lockdown == Lockdown::Confidentiality
                && verdict.is_some_and(|verdict| verdict.contains("bpf_probe_read")) =>
        {
            Cause::LockedDown
        }
        Error::Load(LoadError::Program { program, .. }) => Cause::Refused { release: release(), program },
        _ => Cause::Other,
    }
}

/// Who denies it to a process that has all capabilities.
fn denier(around: &Surroundings, to_load: bool) -> Cause {
    if to_load && around.lockdown == Lockdown::Confidentiality {
        return Cause::LockedDown;
    }
    match &around.confined {
        Some(confined) => Cause::Confined(confined.clone()),
        None if around.seccomp => Cause::Filtered,
        None => Cause::Denied,
    }
}

/// Does it come from what the kernel can do, and not from this machine's set-up?
fn is_of_kernel(error: &Error) -> bool {
    match error {
        Error::Btf(_) | Error::Load(_) => true,
        // Socket options of the self-test, for one.
        Error::Maps(_) | Error::Iterator(_) | Error::Probe { .. } => {
            matches!(errno(error), Some(libc::EINVAL | libc::ENOSYS | libc::ENOPROTOOPT | libc::EOPNOTSUPP))
        }
        _ => false,
    }
}

/// The error number at the bottom of it.
fn errno(error: &Error) -> Option<i32> {
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if let Some(number) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(number);
        }
        cause = error.source();
    }
    None
}

/// Capabilities that are needed and not there. `CAP_SYS_ADMIN` holds what BPF and PERFMON were split off from.
fn lacking(capabilities: u64) -> Vec<&'static str> {
    const SYS_ADMIN: u32 = 21;
    let has = |bit: u32| capabilities & 1 << bit != 0;
    let needed = [("CAP_BPF", 39), ("CAP_NET_ADMIN", 12), ("CAP_PERFMON", 38), ("CAP_SYS_ADMIN", SYS_ADMIN)];
    let implied = |name: &str| has(SYS_ADMIN) && name != "CAP_NET_ADMIN";
    needed.into_iter().filter(|(name, bit)| !has(*bit) && !implied(name)).map(|(name, _)| name).collect()
}

/// The first two numbers of a release: `5.10.0-28-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
