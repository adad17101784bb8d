//! `probe`: what this kernel can do, found by doing it with the real object in a network namespace of its own. A version
//! number says little: distributions backport.
//!
//! The daemon runs the same at start, and takes the safe way for what is missing.

mod trial;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use crate::Error;
use crate::args::Output;
use crate::kernel::btf::{Btf, FUNC, TYPEDEF};
use crate::kernel::load::{self, Capacity};
use crate::kernel::offsets;
use crate::kernel::pins::Pins;
use crate::sys::{bpf, files};
use meshaccel_abi::Offsets;
use trial::Trial;

/// What the self-test found.
#[derive(Clone, Debug, Serialize)]
pub struct Capabilities {
    /// Redirected bytes count in sk_rmem_alloc (Linux 6.13 and stable backports).
    pub rmem_counts: bool,
    /// A connection can be promoted while it runs.
    pub late_promotion: bool,
    /// A blocking receive call on a redirected socket waits on after a wake-up without bytes.
    pub blocking_waits: bool,
    /// Calls of splice(2) are seen before they read.
    pub splices_seen: bool,
    /// What FIONREAD sees of a socket that has bytes in both queues.
    pub fionread: Fionread,
    /// One line each.
    pub findings: Vec<Finding>,
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

/// The command.
pub fn command(pins: &Pins, output: Output) -> Result<ExitCode, Error> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let cgroup = files::cgroup2_root(Path::new(files::CGROUPS)).ok_or(Error::NoCgroup2)?;
    let btf = Btf::of_kernel()?;
    let capabilities = run(pins, &cgroup, &btf, &offsets::find(&btf)?)?;
    if output == Output::Json {
        println!("{}", serde_json::to_string_pretty(&capabilities).unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["", "WHAT", "SEEN", "CONSEQUENCE"]);
    for finding in &capabilities.findings {
        let mark = if finding.works { "yes" } else { "no" };
        table.add_row([mark, finding.what, &finding.seen, finding.consequence]);
    }
    println!("{}", table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// Runs the self-test with an installation of its own, which it removes. `offsets` are those of the running kernel.
pub fn run(pins: &Pins, cgroup: &Path, btf: &Btf, offsets: &Offsets) -> Result<Capabilities, Error> {
    remove_abandoned(pins)?;
    let name = format!("{}{}", prefix(pins), std::process::id());
    let own = Pins::new(&pins.root().with_file_name(name));
    let layout = own.create()?;
    // The trial finds out how blocking calls are served, and sees splice(2) itself.
    let offsets = Offsets { blocking_waits: 1, splices_seen: 1, ..*offsets };
    let installed = load::install(&offsets, Capacity { connections: 16 }, &layout, cgroup);
    let result = installed.map_err(Error::from).and_then(|loaded| {
        let watch = loaded.splice.attach();
        let trial = Trial::run(&layout, &loaded.visits, watch)?;
        Ok(Capabilities {
            rmem_counts: trial.receive_memory >= trial::UNREAD as u32,
            late_promotion: trial.late,
            blocking_waits: trial.blocking_waits,
            splices_seen: trial.splices_seen == Ok(true),
            fionread: trial.fionread,
            findings: findings(&trial, btf, offsets.casts != 0),
        })
    });
    let removed = layout.remove();
    own.remove_root();
    let capabilities = result?;
    removed?;
    Ok(capabilities)
}

/// What the names of the self-tests' folders begin with; the pid follows.
fn prefix(pins: &Pins) -> String {
    format!("{}-probe-", pins.root().file_name().unwrap_or_default().to_string_lossy())
}

/// Removes what self-tests that were killed have left: their folders carry pids that are gone.
pub fn remove_abandoned(pins: &Pins) -> Result<(), Error> {
    let prefix = prefix(pins);
    // Without the parent folder nothing was ever pinned.
    let Some(Ok(entries)) = pins.root().parent().map(std::fs::read_dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.parse::<u32>().ok()) else {
            continue;
        };
        if Path::new(&format!("/proc/{pid}")).exists() {
            continue;
        }
        let abandoned = Pins::new(&entry.path());
        for layout in abandoned.layouts()? {
            layout.remove()?;
        }
        abandoned.remove_root();
        tracing::info!(path = %entry.path().display(), "Removed what a killed self-test had left");
    }
    Ok(())
}

fn findings(trial: &Trial, btf: &Btf, casts: bool) -> Vec<Finding> {
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
            seen: if trial.late { "redirected after one pass" } else { "stayed on TCP" }.into(),
            consequence: if trial.late {
                "connections start on TCP and are promoted when that gains; older ones are adopted"
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
            what: "see splice(2) before it reads",
            works: trial.splices_seen == Ok(true),
            matters: true,
            seen: match &trial.splices_seen {
                Ok(true) => "seen".into(),
                Ok(false) => "not seen".into(),
                Err(error) => error.clone(),
            },
            consequence: if trial.splices_seen == Ok(true) {
                "applications that splice are left on TCP"
            } else {
                "nothing is redirected to applications, only to the sidecar: an application might splice"
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
                    "reports too little while a few bytes of a direction still wait in the TCP queue"
                }
                Fionread::Tcp | Fionread::Neither => {
                    "a reader that trusts FIONREAD (nginx with EPOLLRDHUP, java available()) may wait"
                }
            },
        },
    ];
    for (what, attach_type, symbol, kind, consequence) in OBSERVERS {
        let result = btf
            .id(symbol, kind)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
            .and_then(|id| bpf::try_load_tracing(attach_type, id));
        findings.push(Finding {
            what,
            works: result.is_ok(),
            matters: false,
            seen: result.map_or_else(|error| format!("refused: {error}"), |()| "loads".into()),
            consequence,
        });
    }
    findings
}

/// Programs that could observe how applications use their sockets: name, attach type, kernel symbol, kind, consequence.
const OBSERVERS: [(&str, u32, &str, u32, &str); 4] = [
    (
        "observe receive calls (tp_btf)",
        bpf::TRACE_RAW_TP,
        "btf_trace_sock_recv_length",
        TYPEDEF,
        "shows flags of receive calls after the call",
    ),
    (
        "observe send calls (tp_btf)",
        bpf::TRACE_RAW_TP,
        "btf_trace_sock_send_length",
        TYPEDEF,
        "shows flags of send calls after the call",
    ),
    (
        "observe receive calls (fentry)",
        bpf::TRACE_FENTRY,
        "tcp_bpf_recvmsg",
        FUNC,
        "shows flags of receive calls before the call; not needed",
    ),
    ("observe splice (fentry)", bpf::TRACE_FENTRY, "tcp_splice_read", FUNC, "shows splice before it reads; not needed"),
];
