//! Why nothing can be accelerated on this machine, as one sentence: what is missing, since which Linux it is there, and what to
//! do.

use std::fmt;
use std::path::PathBuf;

use meshaccel_crds::conditions::node as reasons;
use meshaccel_service::Chain;
use serde::{Serialize, Serializer};

use super::explain;
use super::surroundings::{Confined, Surroundings};
use crate::Error;

/// What stands in the way, and the error by which that was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    pub cause: Cause,
    pub seen: String,
}

/// What can stand in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The kernel is older than [`explain::OLDEST`], and refused something.
    TooOld { release: String },
    /// The kernel was built without its type information.
    NoTypeInformation,
    /// A field that the programs read is not in this kernel.
    NoField { release: String, structure: String, field: String },
    /// The verifier takes a program on other kernels, and not on this one.
    Refused { release: String, program: &'static str },
    /// `lockdown=confidentiality`
    LockedDown,
    /// The process has not all it needs.
    Capabilities { lacking: Vec<&'static str> },
    /// Capabilities of a user namespace are worth nothing to bpf(2).
    UserNamespace,
    /// A security module forbids it to this process.
    Confined(Confined),
    /// All is there, but a system call is denied, and a seccomp filter is on the process.
    Filtered,
    /// All is there, but a system call is denied.
    Denied,
    /// No cgroup v2 hierarchy.
    NoCgroup2 { at: PathBuf },
    /// Only the daemon's own cgroup is seen there.
    OwnCgroupOnly { at: PathBuf },
    /// Nowhere to pin.
    NoBpffs { at: PathBuf },
    /// Something else, which the error tells.
    Other,
}

impl Unsupported {
    /// Why this error came.
    pub fn explain(error: &Error, around: &Surroundings) -> Self {
        Self { cause: explain::cause(error, around), seen: Chain(error).to_string() }
    }

    /// Is the same in the way, though the error may be of another map or program?
    pub fn is_as(&self, other: &Self) -> bool {
        self.cause == other.cause && (self.cause != Cause::Other || self.seen == other.seen)
    }

    /// The reason of the condition that tells of it.
    pub fn reason(&self) -> &'static str {
        match self.cause {
            Cause::TooOld { .. } | Cause::NoTypeInformation | Cause::NoField { .. } | Cause::Refused { .. } => {
                reasons::KERNEL_UNSUPPORTED
            }
            Cause::LockedDown
            | Cause::Capabilities { .. }
            | Cause::UserNamespace
            | Cause::Confined(_)
            | Cause::Filtered
            | Cause::Denied => reasons::NOT_PERMITTED,
            Cause::NoCgroup2 { .. } | Cause::OwnCgroupOnly { .. } | Cause::NoBpffs { .. } => reasons::MOUNT_MISSING,
            Cause::Other => reasons::FAILED,
        }
    }

    /// What is missing.
    pub fn missing(&self) -> String {
        match &self.cause {
            Cause::TooOld { release } => format!("this kernel ({release}) lacks something that the programs need"),
            Cause::NoTypeInformation => "this kernel has no type information (/sys/kernel/btf/vmlinux)".into(),
            Cause::NoField { release, structure, field } => {
                format!("this kernel ({release}) has no field {field} in its {structure}")
            }
            Cause::Refused { release, program } => format!("this kernel ({release}) refuses the program {program}"),
            Cause::LockedDown => {
                "the kernel is locked down so far (confidentiality) that programs may not read its memory".into()
            }
            Cause::Capabilities { lacking } => format!("the daemon lacks {}", listed(lacking)),
            Cause::UserNamespace => {
                "the daemon runs in a user namespace, whose capabilities do not allow to load programs".into()
            }
            Cause::Confined(Confined { by, label }) => format!("{by} does not permit it to the daemon ({label})"),
            Cause::Filtered => {
                "a system call is denied, though the daemon has all capabilities: by its seccomp profile or a security module"
                    .into()
            }
            Cause::Denied => {
                "a system call is denied, though the daemon has all capabilities: by a security module".into()
            }
            Cause::NoCgroup2 { at } => {
                format!("no cgroup v2 hierarchy is mounted at {0} or {0}/unified", at.display())
            }
            Cause::OwnCgroupOnly { at } => {
                format!("{} shows the daemon's own cgroup only (a private cgroup namespace), not those of pods", at.display())
            }
            Cause::NoBpffs { at } => format!("{} is not on a BPF file system", at.display()),
            Cause::Other => "the programs cannot be installed".into(),
        }
    }

    /// Which Linux has it.
    pub fn since(&self) -> Option<&'static str> {
        match self.cause {
            Cause::TooOld { .. } => Some("5.15"),
            Cause::NoTypeInformation => Some("5.4"),
            Cause::NoCgroup2 { .. } => Some("4.5"),
            Cause::NoBpffs { .. } => Some("4.4"),
            _ => None,
        }
    }

    /// What to do.
    pub fn remedy(&self) -> &'static str {
        match self.cause {
            Cause::TooOld { .. } => "run a newer kernel",
            Cause::NoTypeInformation => {
                "run a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of distributions are"
            }
            Cause::NoField { .. } | Cause::Refused { .. } => {
                "run another kernel, and please report this one: the programs should run on it"
            }
            Cause::LockedDown => {
                "boot with lockdown=integrity, or without lockdown= (Talos: extraKernelArgs -lockdown and lockdown=integrity)"
            }
            Cause::Capabilities { .. } => {
                "run it as root, with these among its container's securityContext.capabilities.add"
            }
            Cause::UserNamespace => "run it in the machine's own user namespace (hostUsers: true; not rootless)",
            Cause::Confined(_) => {
                "let it run unconfined (appArmorProfile or seLinuxOptions of its container), or allow what the audit log shows \
                 denied"
            }
            Cause::Filtered => {
                "allow bpf(2), perf_event_open(2), setns(2) and fsopen(2) in its seccomp profile, or see the audit log"
            }
            Cause::Denied => "the audit log (dmesg, journalctl -k) says by which",
            Cause::NoCgroup2 { .. } => {
                "mount one (mount -t cgroup2 none /sys/fs/cgroup/unified), or name another place by --cgroup-root"
            }
            Cause::OwnCgroupOnly { .. } => {
                "give its container the machine's /sys/fs/cgroup (hostPath, or --cgroupns=host), and name it by --cgroup-root"
            }
            Cause::NoBpffs { .. } => {
                "mount one on the machine (mount -t bpf bpf /sys/fs/bpf), or name a folder of another by --bpffs"
            }
            Cause::Other => "see what failed",
        }
    }
}

/// The sentence.
impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.missing())?;
        if let Some(since) = self.since() {
            write!(f, ", which Linux has from {since} on")?;
        }
        write!(f, ": {}", self.remedy())?;
        match self.cause {
            // The error says the same.
            Cause::NoCgroup2 { .. } | Cause::OwnCgroupOnly { .. } | Cause::NoTypeInformation => Ok(()),
            _ => write!(f, " ({})", self.seen),
        }
    }
}

impl std::error::Error for Unsupported {}

impl Serialize for Unsupported {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            reason: &'static str,
            missing: String,
            since: Option<&'static str>,
            remedy: &'static str,
            seen: &'a str,
            sentence: String,
        }
        let (reason, missing, since, remedy) = (self.reason(), self.missing(), self.since(), self.remedy());
        Told { reason, missing, since, remedy, seen: &self.seen, sentence: self.to_string() }.serialize(serializer)
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
