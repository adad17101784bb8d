//! `probe`: what this kernel can do, found by doing it with the real object in a network namespace of its own. A version
//! number says little: distributions backport.
//!
//! The daemon runs the same at start, and takes the safe way for what is missing. Where nothing can be installed at all,
//! [`Unsupported`] says why, from what it finds in its [`Surroundings`].

mod explain;
mod surroundings;
mod trial;
mod unsupported;

use std::path::{Path, PathBuf};

use meshaccel_abi::redirect::offsets::{FIONREAD_BOTH, FIONREAD_REDIRECTED, FIONREAD_TCP};
use meshaccel_abi::redirect::{Offsets, habit};
use meshaccel_bpf::pins::Pins;
use meshaccel_bpf::sys::files;
use serde::Serialize;
use trial::Trial;

use crate::Error;
use crate::kernel::install;
use crate::kernel::pinned::{column, remove};
use crate::kernel::programs::{Capacity, Without};
use crate::kernel::wake_readers::Wakes;
use crate::kernel::watch::Watch;

pub use self::surroundings::Surroundings;
pub use self::unsupported::Unsupported;

/// What the self-test found.
#[derive(Clone, Debug, Serialize)]
pub struct Capabilities {
    /// Redirected bytes count in sk_rmem_alloc (Linux 6.13 and stable backports).
    pub rmem_counts: bool,
    /// A connection can be promoted while it runs.
    pub late_promotion: bool,
    /// How: `classifier` or `scan`.
    pub promotion: &'static str,
    /// How it is seen what applications do: `fentry` or `tracepoints`.
    pub habits_by: &'static str,
    /// A blocking receive call on a redirected socket waits on after a wake-up without bytes.
    pub blocking_waits: bool,
    /// `meshaccel_abi::redirect::habit` bits that are seen when an application takes to them.
    #[serde(serialize_with = "habit_names")]
    pub habits_seen: u32,
    /// Who wakes a reader that must look again: a `program`, or the daemon by a `descriptor` of the reader's.
    pub wakes: Wakes,
    /// What FIONREAD sees of a socket that has bytes in both queues.
    pub fionread: Fionread,
    /// One line each.
    pub findings: Vec<Finding>,
}

fn habit_names<S: serde::Serializer>(seen: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    let names = [(habit::SPLICES, "splices"), (habit::ASKS, "asks"), (habit::TOGGLES, "toggles_blocking")];
    serializer.collect_seq(names.iter().filter(|(bit, _)| seen & bit != 0).map(|(_, name)| name))
}

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was tried.
    pub what: &'static str,
    /// It works.
    pub works: bool,
    /// Something is lost when it does not.
    pub matters: bool,
    /// What was seen.
    pub seen: String,
    /// What follows for this node.
    pub consequence: &'static str,
}

/// What FIONREAD sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fionread {
    /// Both queues, as it should.
    Both,
    /// Only redirected bytes (from Linux 6.18.14 on, and stable backports).
    Redirected,
    /// Only TCP's bytes (before).
    Tcp,
    /// Something else.
    Neither,
}

impl Fionread {
    /// As the programs are told.
    pub const fn as_number(self) -> u32 {
        match self {
            Self::Both => FIONREAD_BOTH,
            Self::Redirected => FIONREAD_REDIRECTED,
            Self::Tcp | Self::Neither => FIONREAD_TCP,
        }
    }
}

/// The root of the cgroup v2 hierarchy below where hierarchies are mounted, if pods are below it.
pub fn cgroup(mounted: &Path) -> Result<PathBuf, Error> {
    let root = files::cgroup2_root(mounted).ok_or_else(|| Error::NoCgroup2 { at: mounted.to_owned() })?;
    if surroundings::shows_own_cgroup_only(&root) { Err(Error::OwnCgroupOnly { at: root }) } else { Ok(root) }
}

/// Runs the self-test with an installation of its own, which it removes. `offsets` are those of the running kernel.
#[tracing::instrument(name = "probe", skip_all)]
pub fn run(pins: &Pins, cgroup: &Path, offsets: &Offsets, without: Without) -> Result<Capabilities, Error> {
    remove_abandoned(pins)?;
    let own = pins.self_test(std::process::id());
    let layout = column(&own).create()?;
    // The trial finds out how blocking calls are served, and sees splice(2) itself.
    let offsets = Offsets { blocking_waits: 1, habits_seen: habit::ALL, fionread: FIONREAD_BOTH, wakes: 1, ..*offsets };
    let installed = install::install(&offsets, Capacity { connections: 16, without }, &layout, cgroup);
    let result = installed.map_err(Error::from).and_then(|loaded| {
        let watch = loaded.habits.attach();
        let mut trial = Trial::run(&layout, &loaded.visits, &loaded.wake_readers, watch)?;
        if offsets.loops == 0 {
            // Who asks and who turns blocking is seen, but cannot be made to wait until its socket has left.
            trial.habits_seen = trial.habits_seen.map(|seen| seen & habit::SPLICES);
        }
        let wakes = if trial.wakes && !without.wake { Wakes::Program } else { Wakes::Descriptor };
        if wakes == Wakes::Descriptor && !Surroundings::observe().may_take_descriptors() {
            return Err(Error::CannotWake);
        }
        Ok(Capabilities {
            wakes,
            rmem_counts: trial.receive_memory >= trial::UNREAD as u32,
            late_promotion: trial.late,
            promotion: loaded.visits.name(),
            habits_by: loaded.habits.way().name(),
            blocking_waits: trial.blocking_waits,
            habits_seen: trial.habits_seen.clone().unwrap_or(0),
            fionread: trial.fionread,
            findings: findings(&trial, wakes, loaded.habits.way(), offsets.casts != 0),
        })
    });
    let removed = remove(&layout);
    own.remove_root();
    pins.remove_root();
    let capabilities = result?;
    removed?;
    Ok(capabilities)
}

/// Removes what self-tests that were killed have left: their folders carry pids that are gone.
pub fn remove_abandoned(pins: &Pins) -> Result<(), Error> {
    for (pid, abandoned) in pins.self_tests()? {
        if Path::new(&format!("/proc/{pid}")).exists() {
            continue;
        }
        for layout in column(&abandoned).layouts()? {
            remove(&layout)?;
        }
        abandoned.remove_root();
        tracing::info!(path = %abandoned.root().display(), "Removed what a killed self-test had left");
    }
    Ok(())
}

fn findings(trial: &Trial, wakes: Wakes, way: Watch, casts: bool) -> Vec<Finding> {
    let rmem_counts = trial.receive_memory >= trial::UNREAD as u32;
    let mut findings = vec![
        Finding {
            what: "redirect between two sockets",
            works: trial.redirected,
            matters: true,
            seen: format!("{} of 2 messages redirected", trial.redirected_messages),
            consequence: if trial.redirected {
                "connections can be accelerated"
            } else {
                "nothing is accelerated on this node"
            },
        },
        Finding {
            what: "promote a running connection",
            works: trial.late,
            matters: true,
            seen: match trial.late {
                true => format!("redirected after one scan (by {}, {} us)", trial.way, trial.scan.as_micros()),
                false => "stayed on TCP".into(),
            },
            consequence: if trial.late {
                "connections start on TCP and are promoted when that gains; older ones are imported"
            } else {
                "promotion: Auto accelerates nothing; Eager accelerates new connections only"
            },
        },
        Finding {
            what: "count redirected bytes in sk_rmem_alloc",
            works: rmem_counts,
            matters: true,
            seen: format!("{} bytes for {} unread", trial.receive_memory, trial::UNREAD),
            consequence: if rmem_counts {
                "the byte budget is exact"
            } else {
                "bytes in flight are counted since the queue was last empty: the budget is reached earlier"
            },
        },
        Finding {
            what: "wait in a blocking receive call",
            works: trial.blocking_waits,
            matters: true,
            seen: if trial.blocking_waits { "waits for bytes" } else { "a wake-up without bytes ends it with EAGAIN" }
                .into(),
            consequence: if trial.blocking_waits {
                "as on plain TCP"
            } else {
                "connections with a blocking descriptor (no O_NONBLOCK) stay on TCP"
            },
        },
        Finding {
            what: "read other sockets by loads",
            works: casts,
            matters: false,
            seen: if casts { "bpf_rdonly_cast" } else { "bpf_probe_read_kernel only (before Linux 6.17)" }.into(),
            consequence: if casts { "a verdict costs less" } else { "each redirected message costs some 0.3 us more" },
        },
        Finding {
            what: "wake a reader by a program",
            works: wakes == Wakes::Program,
            matters: false,
            seen: match wakes {
                Wakes::Program => "wakes".into(),
                Wakes::Descriptor => "sets the option and wakes nobody (before Linux 6.1)".into(),
            },
            consequence: match wakes {
                Wakes::Program => "a reader that must look again does so within some 0.1 ms",
                Wakes::Descriptor => {
                    "the daemon wakes it by its descriptor, for which it looks through the pod's: some ms, rarely"
                }
            },
        },
        Finding {
            what: "FIONREAD",
            works: trial.fionread == Fionread::Both,
            matters: true,
            seen: match trial.fionread {
                Fionread::Both => "sees both queues",
                Fionread::Redirected => "sees only redirected bytes",
                Fionread::Tcp => "sees only TCP's bytes",
                Fionread::Neither => "sees neither queue rightly",
            }
            .into(),
            consequence: match trial.fionread {
                Fionread::Both => "as on plain TCP",
                Fionread::Redirected => {
                    "applications that ask (nginx at large headers, java available()) are left on TCP"
                }
                Fionread::Tcp | Fionread::Neither => {
                    "only the sidecars of Istio and Linkerd are redirected to: an application might ask"
                }
            },
        },
    ];
    for (what, bit, left, refused) in HABITS {
        let works = trial.habits_seen.as_ref().is_ok_and(|seen| seen & bit != 0);
        findings.push(Finding {
            what,
            works,
            matters: true,
            seen: match &trial.habits_seen {
                Ok(_) if works => "seen".into(),
                Ok(_) => "not seen in time".into(),
                Err(error) => error.clone(),
            },
            consequence: if works { left } else { refused },
        });
    }
    let entries = way != Watch::Tracepoints;
    findings.push(Finding {
        what: "see that at kernel functions",
        works: entries,
        matters: false,
        seen: if entries { "fentry" } else { "refused: by tracepoints of system calls" }.into(),
        consequence: if entries {
            "other system calls of the node pay nothing"
        } else {
            "while a pod is accelerated each system call of the node costs some 12 ns more"
        },
    });
    findings
}

/// What an application may do that the redirected queue does not serve: what, habit, consequence when it is seen, and when not.
const HABITS: [(&str, u32, &str, &str); 3] = [
    (
        "see splice(2) before it reads",
        habit::SPLICES,
        "applications that splice are left on TCP",
        "only the sidecars of Istio and Linkerd are redirected to: an application might splice",
    ),
    (
        "see FIONREAD before it answers",
        habit::ASKS,
        "what follows for those that ask: see FIONREAD",
        "only the sidecars of Istio and Linkerd are redirected to: an application might ask",
    ),
    (
        "see a descriptor being made blocking",
        habit::TOGGLES,
        "applications that do so from time to time are left on TCP",
        "only the sidecars of Istio and Linkerd are redirected to: an application might make its descriptor blocking",
    ),
];
