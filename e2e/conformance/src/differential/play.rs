//! Plays a program on a session.

use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::Result;
use libc::MSG_NOSIGNAL;

use super::step::Step;
use crate::events::{EVERYTHING, Watch};
use crate::options::{FIONREAD, SIOCATMARK, SO_ERROR, SO_RCVTIMEO, SO_SNDTIMEO};
use crate::{Session, Who, names, sys};

/// How long a call waits on a descriptor that blocks.
const PATIENCE: Duration = Duration::from_millis(40);

/// The trace of a program.
pub fn play(program: &[Step], mut session: Session) -> Result<Vec<String>> {
    let watch = Watch::new(&session, Who::Sender, EVERYTHING | libc::EPOLLET)?;
    watch.add(&session, Who::Receiver, EVERYTHING | libc::EPOLLET)?;
    for who in Who::BOTH {
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            session.set_time_out(who, option, PATIENCE);
        }
    }
    for step in program {
        take(&mut session, step, &watch)?;
    }
    Ok(session.into_trace())
}

fn take(session: &mut Session, step: &Step, watch: &Watch) -> Result<()> {
    match step {
        Step::Send { who, size, flags } => {
            let bytes = session.bytes(*size);
            let _ = session.send(*who, bytes, flags.0 | MSG_NOSIGNAL);
        }
        Step::WritePieces { who, sizes } => {
            let mut pieces: Vec<_> = sizes.iter().map(|&size| session.bytes(size)).collect();
            let mut entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
            let sent = sys::send_message(session.fd(*who), &mut entries, None, MSG_NOSIGNAL);
            told(session, *who, &format!("sends pieces {sizes:?}"), sent);
        }
        Step::SendMany { who, sizes } => {
            let mut messages: Vec<_> = sizes.iter().map(|&size| session.bytes(size)).collect();
            let (sent, lengths) = sys::send_messages(session.fd(*who), &mut messages, MSG_NOSIGNAL);
            told(session, *who, &format!("sends messages {sizes:?}, of which {lengths:?}"), sent);
        }
        Step::Receive { who, size, flags } => drop(session.receive(*who, *size, flags.0)),
        Step::ReceivePieces { who, sizes, flags } => drop(session.receive_message(*who, sizes, flags.0)),
        Step::ReceiveMany { who, sizes } => {
            let (received, messages) = sys::receive_messages(session.fd(*who), sizes, 0);
            let shown: Vec<_> = messages.iter().map(|message| names::bytes(message)).collect();
            told(session, *who, &format!("receives messages {sizes:?}: {shown:?}"), received);
        }
        Step::Drain { who } => session.drain(*who),
        Step::Poll { who } => drop(session.poll_all(*who)),
        Step::Edge => watch.look(session),
        Step::Level { who } if session.fd(*who) >= 0 => Watch::new(session, *who, EVERYTHING)?.look(session),
        Step::Level { .. } => {}
        Step::Count { who } => session.ask(*who, FIONREAD),
        Step::AtMark { who } => session.ask(*who, SIOCATMARK),
        Step::Set { who, option, value } => drop(session.set(*who, option.option(), *value)),
        Step::Blocking { who, blocking } => session.set_blocking(*who, *blocking),
        Step::SpliceOut { who, size } => splice_out(session, *who, *size)?,
        Step::SpliceInto { who, size } => {
            let (out, into) = nix::unistd::pipe()?;
            let bytes = session.bytes(*size);
            nix::unistd::write(&into, &bytes)?;
            let spliced = sys::splice(out.as_raw_fd(), session.fd(*who), *size, 0);
            told(session, *who, &format!("is spliced {size} bytes into"), spliced);
        }
        Step::SendFile { who, size } => {
            let mut file = tempfile::tempfile()?;
            file.write_all(&session.bytes(*size))?;
            file.seek(SeekFrom::Start(0))?;
            let sent = sys::send_file(session.fd(*who), file.as_raw_fd(), None, *size);
            told(session, *who, &format!("sends a file of {size}"), sent);
        }
        Step::Error { who } => session.get(*who, SO_ERROR),
        Step::ShutDown { who, how } => session.shut_down(*who, *how),
        Step::Close { who } => session.close(*who),
        Step::Reset { who } => session.reset(*who),
    }
    Ok(())
}

fn told(session: &mut Session, who: Who, what: &str, answer: sys::Answer) {
    session.tell(who, format_args!("{what} -> {}", names::answer(answer)));
    session.settle();
}

fn splice_out(session: &mut Session, who: Who, size: usize) -> Result<()> {
    let (out, into) = nix::unistd::pipe()?;
    let spliced = sys::splice(session.fd(who), into.as_raw_fd(), size, libc::SPLICE_F_NONBLOCK);
    let mut bytes = vec![0; spliced.unwrap_or(0)];
    if !bytes.is_empty() {
        nix::unistd::read(&out, &mut bytes)?;
    }
    told(session, who, &format!("splices {size} out: {}", names::bytes(&bytes)), spliced);
    Ok(())
}
