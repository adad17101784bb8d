//! The command line: these comments are its reference.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use meshaccel_bpf::pins;
use meshaccel_service::telemetry::TelemetryArgs;

use crate::admin;

/// Accelerates TCP between applications and their sidecars on this node.
///
/// Bytes that an application and the sidecar proxy of its pod exchange skip the TCP/IP stack. Everything else, and
/// whatever goes wrong, takes the ordinary path.
#[derive(Debug, Parser)]
#[command(name = "meshaccel-node", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run on a single machine, with objects from a folder instead of a cluster.
    ///
    /// The folder holds MeshAcceleration, Namespace and Pod objects as YAML. Files that appear, change or go take effect
    /// at once. A Pod says where it lives on this machine by the annotation meshaccel.dev/netns or meshaccel.dev/cgroup.
    /// Ending the daemon (SIGTERM) leaves acceleration running from what is pinned; `uninstall` removes it.
    Standalone(Standalone),
    /// Run on a node of a cluster: the DaemonSet's command.
    ///
    /// Accelerates the pods of this node that MeshAccelerations select, and reports what it found and did in the
    /// NodeAcceleration of the node's name. While no object names the node, nothing of meshaccel is in its kernel. When
    /// the API server is away, what is pinned goes on, also while no daemon runs.
    Run(Run),
    /// Find out what this kernel can do, by doing it in a network namespace of its own.
    ///
    /// Where nothing can be accelerated it ends with exit code 1 and one sentence: what is missing, since which Linux it is
    /// there, and what to do (with `-o json` on standard output, as `unsupported`). The daemon says the same and stays.
    Probe {
        #[command(flatten)]
        pins: PinsArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// List every recorded connection, the path it takes, and why it is not redirected where it is not.
    Connections {
        #[command(flatten)]
        pins: PinsArgs,
        /// How to print them.
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        /// Print again every two seconds until interrupted.
        #[arg(short, long)]
        watch: bool,
    },
    /// Print what the running daemon says of itself, as JSON: each pod with its state and why, what is wrong with the objects,
    /// what this kernel can do.
    Status {
        #[command(flatten)]
        socket: SocketArgs,
    },
    /// Switch acceleration off: from the next message on, all bytes take the ordinary path (and tcpdump sees them).
    Off {
        #[command(flatten)]
        switch: SwitchArgs,
        /// Come back by itself after this time, e.g. 30s, 10m, 1h; also when no daemon runs.
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        duration: Option<std::time::Duration>,
    },
    /// Switch acceleration on again.
    On {
        #[command(flatten)]
        switch: SwitchArgs,
    },
    /// Remove every program, link, map and pin of meshaccel. Safe under traffic: connections go on over TCP.
    Uninstall {
        #[command(flatten)]
        pins: PinsArgs,
        /// How long to wait for readers to take what is queued for them, e.g. 10s.
        #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
        timeout: std::time::Duration,
    },
}

#[derive(Debug, Args)]
pub struct Standalone {
    /// Folder with the objects.
    #[arg(long, value_name = "DIR", env = "MESHACCEL_MANIFESTS")]
    pub manifests: PathBuf,
    #[command(flatten)]
    pub daemon: DaemonArgs,
    /// Remove everything when the daemon ends, instead of leaving acceleration running.
    #[arg(long, env = "MESHACCEL_UNINSTALL_ON_EXIT")]
    pub uninstall_on_exit: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    /// Name of this machine's Node object.
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    pub node_name: String,
    #[command(flatten)]
    pub daemon: DaemonArgs,
}

/// What a daemon needs, wherever its objects come from.
#[derive(Debug, Args)]
pub struct DaemonArgs {
    #[command(flatten)]
    pub pins: PinsArgs,
    /// Where the machine's cgroup hierarchy is mounted: cgroup v2, or a hybrid one with v2 at `unified` below.
    #[arg(long, value_name = "DIR", env = "MESHACCEL_CGROUP_ROOT", default_value = "/sys/fs/cgroup")]
    pub cgroup_root: PathBuf,
    /// Address of /livez, /readyz and /metrics. Nothing there names a pod: in a cluster every pod can reach it.
    #[arg(long, value_name = "ADDRESS", env = "MESHACCEL_ADMIN_ADDRESS", default_value = "127.0.0.1:15077")]
    pub admin_address: SocketAddr,
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Connections that can be accelerated at once in one pod, and in all pods together up to twice as many: a pod may have as many as
    /// are left free. Others run on plain TCP. Fixed when the maps are created.
    #[arg(long, value_name = "NUMBER", env = "MESHACCEL_MAX_CONNECTIONS", default_value_t = 65_536,
          value_parser = clap::value_parser!(u32).range(1..=4_194_304))]
    pub max_connections: u32,
    /// Read other sockets as kernels before Linux 6.17 do it (bpf_probe_read_kernel) even where this one offers casts: slower, to
    /// compare with.
    #[arg(long)]
    pub without_casts: bool,
    /// Visit sockets as kernels from Linux 7.3 on demand it (by iterators over recorded sockets) even where this one lets a
    /// classifier do it: slower, to compare with.
    #[arg(long)]
    pub without_classifier: bool,
    /// With --without-classifier: by iterators over all TCP sockets of one pod after the other, as where those are refused.
    #[arg(long, requires = "without_classifier")]
    pub without_storage: bool,
    /// See what applications do by tracepoints of system calls even where this kernel allows better (fentry): each system call of
    /// the node is slower, to compare with.
    #[arg(long)]
    pub without_fentry: bool,
    /// Wake readers as kernels before Linux 6.1 demand it (by a descriptor taken from the process that reads) even where a program
    /// can: slower, to compare with.
    #[arg(long)]
    pub without_wake: bool,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

#[derive(Debug, Args)]
pub struct PinsArgs {
    /// Folder of the pins, on a BPF file system. Installations with different folders do not touch each other.
    #[arg(long, value_name = "DIR", env = "MESHACCEL_BPFFS", default_value = pins::DEFAULT)]
    pub bpffs: PathBuf,
}

#[derive(Debug, Args)]
pub struct SocketArgs {
    /// Unix socket of the daemon, for root alone (mode 0600): HTTP with the paths of --admin-address, and /connections and
    /// /status, which name the pods of this node and their peers.
    #[arg(long, value_name = "PATH", env = "MESHACCEL_ADMIN_SOCKET", default_value = admin::SOCKET)]
    pub admin_socket: PathBuf,
}

#[derive(Debug, Args)]
pub struct SwitchArgs {
    #[command(flatten)]
    pub pins: PinsArgs,
    /// Only this pod.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub pod: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people.
    Table,
    /// The table with every column.
    Wide,
    /// JSON for programs.
    Json,
}

/// A duration as people write it: 90s, 10m, 1h30m.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let hint = "expected a duration such as 30s, 10m or 1h";
    let span: jiff::SignedDuration = text.parse().map_err(|_| hint.to_owned())?;
    std::time::Duration::try_from(span).map_err(|_| hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_what_people_write() {
        assert_eq!(duration("10m"), Ok(std::time::Duration::from_secs(600)));
        assert_eq!(duration("1h30m"), Ok(std::time::Duration::from_secs(5400)));
        for bad in ["", "ten", "-5s", "5"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
