//! What ends a command.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use meshaccel_bpf::pins::PinsError;
use meshaccel_redirect::probe::Unsupported;
use thiserror::Error;

/// What ends a command. Each says what failed, on what, and where it can, what to do.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Redirect(#[from] meshaccel_redirect::Error),
    #[error(transparent)]
    Pins(#[from] PinsError),
    #[error("cannot read the folder of manifests")]
    Manifests(#[source] meshaccel_sources::Error),
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
    #[error("cannot tell how to reach the API server: neither a pod's service account nor a kubeconfig is there")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

impl From<Unsupported> for Error {
    fn from(cause: Unsupported) -> Self {
        Self::Redirect(cause.into())
    }
}
