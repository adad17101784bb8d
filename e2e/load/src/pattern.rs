//! The patterns that the load generator makes, and what its two processes are told.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::protocol::Protocol;

/// What the two processes do with one another. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// Each connection asks, and waits for an answer of the same size. An operation is an answer.
    Ask { size: usize, connections: usize },
    /// The client sends without pause. An operation is a message that has arrived.
    Stream { size: usize },
    /// Both send without pause. An operation is a message that has arrived, at either end.
    Duplex { size: usize },
    /// Connects, asks so many times, closes. An operation is such a connection.
    Connect { size: usize, requests: usize },
    /// Each connection asks a server of somebody else's, and waits. An operation is an answer.
    Converse { protocol: Protocol, connections: usize },
    /// Each connection makes a gRPC call, and waits for what it sent. An operation is an answer.
    Call { size: usize, connections: usize },
}

impl Pattern {
    /// What an operation is called.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Ask { .. } | Self::Converse { .. } | Self::Call { .. } => "requests",
            Self::Stream { .. } | Self::Duplex { .. } => "messages",
            Self::Connect { .. } => "connections",
        }
    }
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Everything a process of the load needs to know: its only argument, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub pattern: Pattern,
    pub address: Address,
    /// Which of the allowed processors it runs on; counted from 0, and round again beyond the last. `None`: any.
    pub processor: Option<usize>,
}
