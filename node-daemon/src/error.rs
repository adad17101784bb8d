//! What ends a command.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::kernel::btf::BtfError;
use crate::kernel::load::LoadError;
use crate::kernel::maps::MapsError;
use crate::kernel::passes::PassError;
use crate::kernel::pins::PinsError;
use crate::probe::Unsupported;

/// What ends a command. Each says what failed, on what, and where it can, what to do.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Pins(#[from] PinsError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Maps(#[from] MapsError),
    #[error(transparent)]
    Pass(#[from] PassError),
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// Nothing can be accelerated on this machine.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    #[error("no cgroup v2 hierarchy is mounted at {at} or {at}/unified")]
    NoCgroup2 { at: PathBuf },
    #[error("{at} shows the daemon's own cgroup only")]
    OwnCgroupOnly { at: PathBuf },
    /// Neither can a program wake readers, nor may the daemon.
    #[error("readers cannot be woken: before Linux 6.1 that takes a descriptor of theirs")]
    CannotWake,
    #[error("cannot read the folder of manifests")]
    Manifests(#[source] crate::source::Error),
    #[error("cannot listen on --admin-address {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot listen on --admin-socket {path}")]
    ListenAt {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot start the thread that answers on --admin-address and --admin-socket")]
    Serve(#[source] io::Error),
    #[error("no daemon answers on --admin-socket {path}")]
    Ask {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("meshaccel is not installed on this node: nothing is pinned at {path}")]
    NotInstalled { path: PathBuf },
    #[error("no pod {pod} is selected on this node; selected are: {selected}")]
    NoPod { pod: String, selected: String },
    #[error("cannot tell how to reach the API server: neither a pod's service account nor a kubeconfig is there")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    #[error("the kernel's clock cannot be read")]
    Clock(#[source] io::Error),
    #[error("the self-test of this kernel could not run: {what}")]
    Probe {
        what: &'static str,
        #[source]
        source: io::Error,
    },
}
