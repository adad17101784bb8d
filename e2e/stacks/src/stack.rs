//! What a stack is: how its server starts, how the harness asks it, and which client programs do.

use anyhow::Result;

use super::http::{Dialect, Http};
use super::session::{Session, Target};
use super::site::{Running, Site};

#[derive(Clone, Copy)]
pub struct Stack {
    pub name: &'static str,
    pub server: fn(&Site) -> Result<Running>,
    pub asks: Asks,
    /// Client programs: the command, and the arguments before those of the contract.
    pub agents: &'static [Agent],
    /// Several connections at once are served.
    pub crowd: bool,
    pub half_close: HalfClose,
}

/// What a server makes of a client that has closed its half and waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClose {
    /// Always the same for the same request.
    Steady,
    /// It gives up as soon as it sees the end, and answers when it happens to have answered before: hyper, Puma, and Envoy as a
    /// server of HTTP/1. Only that the end comes, and no wrong byte before it, can be asked of it.
    Races,
}

/// How the harness itself asks a server.
#[derive(Clone, Copy)]
pub enum Asks {
    Http(Dialect),
    Own(for<'a> fn(Target<'a>) -> Result<Box<dyn Session + 'a>>),
    /// Only client programs do: they are what is looked at.
    Programs,
}

#[derive(Clone, Copy)]
pub struct Agent {
    pub name: &'static str,
    pub command: fn() -> Result<Vec<String>>,
    /// It can give an answer up in the middle.
    pub aborts: bool,
}

impl Asks {
    pub fn connect<'a>(&self, target: Target<'a>) -> Result<Option<Box<dyn Session + 'a>>> {
        Ok(match self {
            Self::Http(dialect) => Some(Box::new(Http::connect(target, *dialect)?)),
            Self::Own(connect) => Some(connect(target)?),
            Self::Programs => None,
        })
    }
}
