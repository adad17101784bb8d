//! What ends a command.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// What ends a command. Trouble with the cluster does not: it is said and tried again ([`crate::trouble`]).
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

/// An error with all its causes on one line.
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Libraries often repeat their cause in their own words; say it once.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}
