//! What can go wrong with redirection.

use std::io;
use std::path::PathBuf;

use meshaccel_bpf::btf::BtfError;
use meshaccel_bpf::iterator::IteratorError;
use meshaccel_bpf::maps::MapsError;
use meshaccel_bpf::pins::PinsError;
use meshaccel_bpf::program::LoadError;
use thiserror::Error;

use crate::probe::Unsupported;

/// What can go wrong. Each says what failed, on what, and where it can, what to do.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Pins(#[from] PinsError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Maps(#[from] MapsError),
    #[error(transparent)]
    Iterator(#[from] IteratorError),
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
    #[error("meshaccel is not installed on this node: nothing is pinned at {path}")]
    NotInstalled { path: PathBuf },
    #[error("no pod {pod} is selected on this node; selected are: {selected}")]
    NoPod { pod: String, selected: String },
    #[error("the kernel's clock cannot be read")]
    Clock(#[source] io::Error),
    #[error("the self-test of this kernel could not run: {what}")]
    Probe {
        what: &'static str,
        #[source]
        source: io::Error,
    },
}
