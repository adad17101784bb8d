//! What ends a command.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// What ends a command. Trouble with the cluster does not: it is said and tried again ([`crate::api_error`]).
#[derive(Debug, Error)]
pub enum Error {
    #[error("no way to the API server is known: run this in a cluster, or set KUBECONFIG")]
    Config(#[source] kube::config::InferConfigError),
    #[error("the connection to the API server cannot be set up")]
    Client(#[source] kube::Error),
    #[error("cannot listen on --metrics-address {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    #[error("cannot write the CRDs as YAML: {0}")]
    Crds(String),
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}
