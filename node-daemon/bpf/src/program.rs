//! Loads programs of an object, and pins them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use aya::programs::{Program, ProgramError};
use aya::{Ebpf, EbpfError};
use thiserror::Error;

use crate::maps::MapsError;
use crate::sys::bpf;
use crate::verifier;

/// What can go wrong. Each names the program or map, and carries the kernel's errno.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("cannot create the maps")]
    Object(#[source] Box<EbpfError>),
    #[error("the object has no {0}")]
    Missing(&'static str),
    #[error("cannot read the kernel's type information")]
    Btf(#[source] aya::BtfError),
    #[error("the kernel refused the program {program}: {reason}")]
    Program {
        program: &'static str,
        /// The error number in words, and the verdict.
        reason: String,
        /// The verifier's last word. `None`: it did not come to it.
        verdict: Option<String>,
        #[source]
        source: Option<io::Error>,
    },
    #[error("cannot open the cgroup {path}")]
    Cgroup {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot attach the program {program}")]
    Attach {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot size the table of records")]
    Records(#[source] io::Error),
    #[error("cannot find out about other programs")]
    Neighbours(#[source] Box<MapsError>),
    #[error("cannot pin {path}")]
    Pin {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Loads one program of the object by `load`.
pub fn load_program<'a, P>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
    load: impl FnOnce(&mut P) -> Result<(), ProgramError>,
) -> Result<(), LoadError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
    P: 'a,
{
    let refused = |error| refused(name, &error);
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing(name))?.try_into().map_err(refused)?;
    load(program).map_err(refused)
}

/// One sentence: the error number, and the verifier's last word. What led to it, which may be thousands of lines, goes to
/// the debug log.
pub fn refused(program: &'static str, error: &ProgramError) -> LoadError {
    let ProgramError::LoadError { io_error, verifier_log } = error else {
        return LoadError::Program { program, reason: error.to_string(), verdict: None, source: None };
    };
    let log = verifier_log.to_string();
    tracing::debug!(program, log, "The verifier's log");
    let verdict = verifier::last_word(&log).map(str::to_owned);
    let reason = verdict.as_ref().map_or_else(|| io_error.to_string(), |verdict| format!("{io_error}: {verdict}"));
    let source = io_error.raw_os_error().map(io::Error::from_raw_os_error);
    LoadError::Program { program, reason, verdict, source }
}

/// Pins, in place of what is pinned there.
pub fn replace_pin(object: &OwnedFd, path: &Path) -> Result<(), LoadError> {
    remove_pin(path)?;
    bpf::pin(object.as_fd(), path).map_err(|source| LoadError::Pin { path: path.to_owned(), source })
}

/// Unpins; nothing there is fine.
pub fn remove_pin(path: &Path) -> Result<(), LoadError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(LoadError::Pin { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
