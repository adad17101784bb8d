//! Plays a program on a scene.

use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::Result;
use libc::MSG_NOSIGNAL;

use super::step::Step;
use crate::events::{EVERYTHING, Watch};
use crate::options::{FIONREAD, SIOCATMARK, SO_ERROR, SO_RCVTIMEO, SO_SNDTIMEO};
use crate::{Scene, Who, names, sys};

/// How long a call waits on a descriptor that blocks.
const PATIENCE: Duration = Duration::from_millis(40);

/// The trace of a program.
pub fn play(program: &[Step], mut scene: Scene) -> Result<Vec<String>> {
    let watch = Watch::new(&scene, Who::Sender, EVERYTHING | libc::EPOLLET)?;
    watch.add(&scene, Who::Receiver, EVERYTHING | libc::EPOLLET)?;
    for who in Who::BOTH {
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            scene.set_time_out(who, option, PATIENCE);
        }
    }
    for step in program {
        take(&mut scene, step, &watch)?;
    }
    Ok(scene.into_trace())
}

fn take(scene: &mut Scene, step: &Step, watch: &Watch) -> Result<()> {
    match step {
        Step::Send { who, size, flags } => {
            let bytes = scene.bytes(*size);
            let _ = scene.send(*who, bytes, flags.0 | MSG_NOSIGNAL);
        }
        Step::WritePieces { who, sizes } => {
            let mut pieces: Vec<_> = sizes.iter().map(|&size| scene.bytes(size)).collect();
            let mut entries: Vec<_> = pieces.iter_mut().map(|piece| sys::piece(piece)).collect();
            let sent = sys::send_message(scene.fd(*who), &mut entries, None, MSG_NOSIGNAL);
            told(scene, *who, &format!("sends pieces {sizes:?}"), sent);
        }
        Step::SendMany { who, sizes } => {
            let mut messages: Vec<_> = sizes.iter().map(|&size| scene.bytes(size)).collect();
            let (sent, lengths) = sys::send_messages(scene.fd(*who), &mut messages, MSG_NOSIGNAL);
            told(scene, *who, &format!("sends messages {sizes:?}, of which {lengths:?}"), sent);
        }
        Step::Receive { who, size, flags } => drop(scene.receive(*who, *size, flags.0)),
        Step::ReceivePieces { who, sizes, flags } => drop(scene.receive_message(*who, sizes, flags.0)),
        Step::ReceiveMany { who, sizes } => {
            let (received, messages) = sys::receive_messages(scene.fd(*who), sizes, 0);
            let shown: Vec<_> = messages.iter().map(|message| names::bytes(message)).collect();
            told(scene, *who, &format!("receives messages {sizes:?}: {shown:?}"), received);
        }
        Step::Drain { who } => scene.drain(*who),
        Step::Poll { who } => drop(scene.poll_all(*who)),
        Step::Edge => watch.look(scene),
        Step::Level { who } if scene.fd(*who) >= 0 => Watch::new(scene, *who, EVERYTHING)?.look(scene),
        Step::Level { .. } => {}
        Step::Count { who } => scene.ask(*who, FIONREAD),
        Step::AtMark { who } => scene.ask(*who, SIOCATMARK),
        Step::Set { who, option, value } => drop(scene.set(*who, option.option(), *value)),
        Step::Blocking { who, blocking } => scene.set_blocking(*who, *blocking),
        Step::SpliceOut { who, size } => splice_out(scene, *who, *size)?,
        Step::SpliceInto { who, size } => {
            let (out, into) = nix::unistd::pipe()?;
            let bytes = scene.bytes(*size);
            nix::unistd::write(&into, &bytes)?;
            let spliced = sys::splice(out.as_raw_fd(), scene.fd(*who), *size, 0);
            told(scene, *who, &format!("is spliced {size} bytes into"), spliced);
        }
        Step::SendFile { who, size } => {
            let mut file = tempfile::tempfile()?;
            file.write_all(&scene.bytes(*size))?;
            file.seek(SeekFrom::Start(0))?;
            let sent = sys::send_file(scene.fd(*who), file.as_raw_fd(), None, *size);
            told(scene, *who, &format!("sends a file of {size}"), sent);
        }
        Step::Error { who } => scene.get(*who, SO_ERROR),
        Step::ShutDown { who, how } => scene.shut_down(*who, *how),
        Step::Close { who } => scene.close(*who),
        Step::Reset { who } => scene.reset(*who),
    }
    Ok(())
}

fn told(scene: &mut Scene, who: Who, what: &str, answer: sys::Answer) {
    scene.tell(who, format_args!("{what} -> {}", names::answer(answer)));
    scene.settle();
}

fn splice_out(scene: &mut Scene, who: Who, size: usize) -> Result<()> {
    let (out, into) = nix::unistd::pipe()?;
    let spliced = sys::splice(scene.fd(who), into.as_raw_fd(), size, libc::SPLICE_F_NONBLOCK);
    let mut bytes = vec![0; spliced.unwrap_or(0)];
    if !bytes.is_empty() {
        nix::unistd::read(&out, &mut bytes)?;
    }
    told(scene, who, &format!("splices {size} out: {}", names::bytes(&bytes)), spliced);
    Ok(())
}
