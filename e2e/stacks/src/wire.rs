//! A client's socket as event loops have it: non-blocking, asked again only after poll(2) said that there is something. It
//! knows how long it had to wait at a stretch, and gives up after [`LIMIT`].
//!
//! It reads until EAGAIN, asks nothing of FIONREAD and takes no short read for the end: what goes wrong is the other side's.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use libc::{POLLIN, POLLOUT};
use meshaccel_e2e_harness::netns::Netns;
use meshaccel_e2e_harness::traffic::socket::poll;

/// Small answers come within this on plain TCP.
pub const DEADLINE: Duration = Duration::from_millis(250);
/// Nothing at all for so long is a hang.
pub const LIMIT: Duration = Duration::from_secs(8);

#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    silence: Duration,
}

impl Wire {
    /// Connects from inside a namespace.
    pub fn connect(netns: &Netns, address: SocketAddr) -> io::Result<Self> {
        let stream = netns.enter(|| TcpStream::connect_timeout(&address, LIMIT)).map_err(io::Error::other)??;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, silence: Duration::ZERO })
    }

    /// The longest wait since this was last asked.
    pub fn take_silence(&mut self) -> Duration {
        std::mem::take(&mut self.silence)
    }

    /// Closes the sending direction.
    pub fn half_close(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Closes with RST, whatever is on its way.
    pub fn reset(self) -> io::Result<()> {
        nix::sys::socket::setsockopt(
            &self.stream,
            nix::sys::socket::sockopt::Linger,
            &libc::linger { l_onoff: 1, l_linger: 0 },
        )?;
        Ok(())
    }

    fn until<T>(&mut self, events: i16, mut call: impl FnMut(&TcpStream) -> io::Result<T>) -> io::Result<T> {
        loop {
            match call(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            let start = Instant::now();
            let ready = poll(&self.stream, events, LIMIT.as_millis() as i32)?;
            self.silence = self.silence.max(start.elapsed());
            if ready == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.until(POLLIN, |mut stream| stream.read(buffer))
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.until(POLLOUT, |mut stream| stream.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
