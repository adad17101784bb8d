//! Request and response of a few bytes between two processes of one pod: what redirection saves when nothing else is in
//! the way. The two processes are this program itself, started again in the pod.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::Outcome;
use super::cpu::Reading;
use super::sample::Sample;
use crate::interrupt;
use crate::mesh::pod::Pod;
use crate::mesh::process::{Process, User};
use crate::traffic::socket;

/// On the pod's loopback; no sidecar listens there.
const PORT: u16 = 9100;
const MESSAGE: usize = 64;

/// How both processes wait for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Manner {
    /// poll(2) on a non-blocking descriptor, as an event loop does.
    Poll,
    /// Inside recv.
    Block,
}

impl Manner {
    fn argument(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Block => "block",
        }
    }

    fn prepare(self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(self == Self::Poll)
    }

    fn receive(self, mut stream: &TcpStream, message: &mut [u8; MESSAGE]) -> io::Result<()> {
        let mut filled = 0;
        while filled < MESSAGE {
            if self == Self::Poll {
                socket::poll(stream, libc::POLLIN, -1)?;
            }
            match stream.read(&mut message[filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(error) if self == Self::Poll && error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Both processes on one processor: a wake-up across two can cost ten times as much, and the scheduler would choose
/// anew in every window.
fn pin() -> Result<()> {
    let mut first = CpuSet::new();
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let cpu = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    first.set(cpu.context("no processor is allowed")?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &first)?)
}

/// The server's part: answers every message with as many bytes; one client at a time.
pub fn serve(manner: Manner) -> Result<()> {
    pin()?;
    for stream in TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))?.incoming() {
        let mut stream = stream?;
        manner.prepare(&stream)?;
        let mut message = [0; MESSAGE];
        while manner.receive(&stream, &mut message).is_ok() {
            stream.write_all(&message)?;
        }
    }
    Ok(())
}

/// The client's part: asks and waits, for `seconds`; compares every answer.
pub fn drive(seconds: u32, manner: Manner) -> Result<Outcome> {
    pin()?;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).context("the server does not listen")?;
    manner.prepare(&stream)?;
    let (length, start) = (Duration::from_secs(seconds.into()), Instant::now());
    let (mut times, mut failures, mut answer) = (Vec::new(), 0, [0; MESSAGE]);
    let mut last = start;
    while last.duration_since(start) < length {
        // The number of the request fills the message: an answer to another request is seen.
        let message = [times.len() as u8; MESSAGE];
        stream.write_all(&message)?;
        manner.receive(&stream, &mut answer)?;
        failures += u64::from(answer != message);
        let now = Instant::now();
        times.push(now.duration_since(last).as_nanos() as u64);
        last = now;
    }
    times.sort_unstable();
    let percentile = |percent: usize| times.get(times.len() * percent / 100).map(|&nanos| nanos as f64 / 1000.0);
    Ok(Outcome {
        requests: times.len() as u64,
        requests_per_second: times.len() as f64 / last.duration_since(start).as_secs_f64(),
        p50_us: percentile(50),
        p99_us: percentile(99),
        failures,
    })
}

/// How this program is started again: a subcommand for each part. The driver prints its [`Outcome`] as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Commands {
    pub serve: &'static str,
    pub drive: &'static str,
}

/// Starts the server in `pod`.
pub fn start_server(pod: &Pod, commands: Commands, manner: Manner) -> Result<Process> {
    let arguments = [commands.serve, manner.argument()];
    let mut process = pod.start(User::APP, "pingpong-server", &this_program()?, &arguments)?;
    interrupt::until("the ping-pong server listens", Duration::from_secs(10), || {
        process.check_running()?;
        Ok(pod.connect(Ipv4Addr::LOCALHOST.into(), PORT).ok())
    })?;
    Ok(process)
}

/// One window: a fresh connection for `seconds`.
pub fn window(pod: &Pod, commands: Commands, manner: Manner, seconds: u32) -> Result<Sample> {
    let before = Reading::now()?;
    let arguments = [commands.drive, &seconds.to_string(), manner.argument()];
    let process = pod.start_captured(User::APP, "pingpong-client", &this_program()?, &arguments)?;
    let output = process.finish(Duration::from_secs(u64::from(seconds) + 20))?;
    let busy = Reading::now()?.busy_us_since(before);
    let outcome: Outcome = serde_json::from_slice(&output).context("cannot read the driver's output")?;
    outcome.check()?;
    Ok(Sample::new(&outcome, busy))
}

fn this_program() -> Result<String> {
    let path = std::env::current_exe()?;
    path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{} is not UTF-8", path.display()))
}
