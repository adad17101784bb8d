//! The trial itself: a few connections in a network namespace of its own, through the real programs.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use meshaccel_abi::redirect::policy::{ANY_PAIR, EAGER, ENFORCE, NODE_SWITCH, SWITCH_OFF, SWITCH_ON};
use meshaccel_abi::redirect::{EndRecord, Event, Policy, habit};
use meshaccel_bpf::maps::MapsError;
use meshaccel_bpf::pins::Layout;
use meshaccel_bpf::program::LoadError;
use meshaccel_bpf::sys::{netns, socket};
use meshaccel_model::PodName;
use meshaccel_service::Chain;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::Fionread;
use crate::Error;
use crate::kernel::maps::Maps;
use crate::kernel::records::Records;
use crate::kernel::visits::{Namespaces, Visits};
use crate::kernel::wake_readers::ReaderWaker;
use crate::pods::{MappedPod, Slot};

/// Bytes that are left unread to see where they count.
pub const UNREAD: usize = 1000;
/// Bytes that go through TCP beside them.
const BESIDE: usize = 500;
/// Enough exchanges to be worth promoting.
const EXCHANGES: usize = 16;
const DEADLINE: Duration = Duration::from_secs(5);
/// A thread that was woken has run and sleeps again long before this is over.
const NAP: Duration = Duration::from_secs(1);

/// What was seen.
pub struct Trial {
    pub redirected: bool,
    pub redirected_messages: u64,
    pub receive_memory: u32,
    pub fionread: Fionread,
    pub late: bool,
    /// How sockets are visited, and the time of a processor that one scan took.
    pub way: &'static str,
    pub scan: Duration,
    pub blocking_waits: bool,
    /// A program wakes a reader.
    pub wakes: bool,
    /// `meshaccel_abi::redirect::habit` bits that were seen, or why none can be.
    pub habits_seen: Result<u32, String>,
}

impl Trial {
    /// Runs in a thread with a network namespace that ends with it.
    /// `watch`: whether the programs that see what applications do could be attached.
    pub fn run(
        layout: &Layout,
        visits: &Visits,
        wake_readers: &ReaderWaker,
        watch: Result<(), LoadError>,
    ) -> Result<Self, Error> {
        let failed = |what| move |source| Error::Probe { what, source };
        let watch = watch.map_err(|error| Chain(&error).to_string());
        let tried = netns::in_new(|| tries(layout, visits, wake_readers, watch))
            .map_err(failed("cannot make a network namespace"))?;
        tried.map_err(|error| match error {
            Trouble::Io(source) => Error::Probe { what: "a connection of the self-test failed", source },
            Trouble::Other(error) => error,
        })
    }
}

enum Trouble {
    Io(io::Error),
    Other(Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

fn tries(
    layout: &Layout,
    visits: &Visits,
    wake_readers: &ReaderWaker,
    watch: Result<(), String>,
) -> Result<Trial, Trouble> {
    netns::loopback_up()?;
    let cookie = netns::own_cookie()?;
    let mut maps = Maps::open(layout)?;
    let policy = |flags| Policy {
        netns_cookie: cookie.0,
        flags: ENFORCE | ANY_PAIR | flags,
        max_bytes: 262_144,
        max_messages: 64,
        ..Policy::free()
    };
    let pod = PodName { namespace: "meshaccel".into(), name: "probe".into() };
    maps.set_policy(Slot(0), policy(EAGER))?;
    maps.add_pod(&MappedPod { cookie, slot: Slot(0), pod })?;

    let (mut client, mut server) = connect()?;
    client.write_all(&[1; 64])?;
    server.read_exact(&mut [0; 64])?;
    client.write_all(&[2; UNREAD])?;
    let redirected_messages = sent_redirected(layout, &client)?;
    let receive_memory = socket::receive_memory(&server)?;
    maps.set_switch(NODE_SWITCH, SWITCH_OFF)?;
    client.write_all(&[3; BESIDE])?;
    // Loopback delivers before write returns.
    let fionread = match socket::readable_bytes(&server)? {
        n if n == UNREAD + BESIDE => Fionread::Both,
        UNREAD => Fionread::Redirected,
        BESIDE => Fionread::Tcp,
        _ => Fionread::Neither,
    };
    server.read_exact(&mut [0; UNREAD + BESIDE])?;
    maps.set_switch(NODE_SWITCH, SWITCH_ON)?;
    let blocking_waits = blocking_waits(&mut client, &server)?;

    maps.set_policy(Slot(0), policy(0))?;
    let (mut client, mut server) = connect()?;
    let ends = [client.try_clone()?, server.try_clone()?];
    let mut exchange = |times: usize| -> io::Result<()> {
        for _ in 0..times {
            client.write_all(&[4; 64])?;
            server.read_exact(&mut [0; 64])?;
            server.write_all(&[5; 64])?;
            client.read_exact(&mut [0; 64])?;
        }
        Ok(())
    };
    exchange(EXCHANGES)?;
    // Only what does not block is promoted by evidence.
    let nonblocking = |yes| ends.iter().try_for_each(|end| end.set_nonblocking(yes));
    nonblocking(true)?;
    // This thread is in the network namespace.
    let scan = visits.scan(&Namespaces::new())?.took;
    nonblocking(false)?;
    exchange(EXCHANGES)?;
    let late = sent_redirected(layout, &client)? > 0;
    let redirected = redirected_messages == 2;
    let wakes = wakes(layout, wake_readers)?;
    let habits_seen = match watch {
        Err(error) => Err(error),
        Ok(()) => Ok(habits_seen(&maps)?),
    };
    Ok(Trial {
        redirected,
        redirected_messages,
        receive_memory,
        fionread,
        late,
        blocking_waits,
        wakes,
        way: visits.name(),
        scan,
        habits_seen,
    })
}

/// Does the program that is to wake readers wake one that is told of bytes once?
fn wakes(layout: &Layout, wake_readers: &ReaderWaker) -> Result<bool, Trouble> {
    let (mut client, server) = connect()?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io::Error::from)?;
    let told_once = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
    epoll.add(&server, told_once).map_err(io::Error::from)?;
    let is_told = || -> io::Result<bool> { Ok(epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO)? > 0) };
    client.write_all(&[8])?;
    if !is_told()? || is_told()? {
        return Ok(false);
    }
    let cookie = socket::cookie(&server)?;
    let records = Records::open(layout)?;
    let Some((id, record)) = records.all()?.into_iter().find(|(_, one)| one.key.socket_cookie == cookie) else {
        return Ok(false);
    };
    records.put(&id, &EndRecord { wake_reader: 1, ..record })?;
    wake_readers.run_here()?;
    Ok(is_told()?)
}

/// Does each thing that an application may take to once, on a connection of its own, and gives what was seen of it.
fn habits_seen(maps: &Maps) -> Result<u32, Trouble> {
    let count = |event: Event| -> Result<u64, MapsError> {
        Ok(maps.events()?.iter().find(|(one, _)| *one == event).map_or(0, |(_, count)| *count))
    };
    let seen = |event: Event, act: fn(&TcpStream) -> io::Result<()>| -> Result<bool, Trouble> {
        let (mut client, mut server) = connect()?;
        // What it does before it has received anything is no habit.
        client.write_all(&[7])?;
        server.read_exact(&mut [0])?;
        server.set_nonblocking(true)?;
        let before = count(event)?;
        act(&server)?;
        Ok(count(event)? > before)
    };
    let splices = seen(Event::SpliceSeen, splice)?;
    let asks = seen(Event::AskSeen, |server| socket::readable_bytes(server).map(drop))?;
    let toggles = seen(Event::ToggleSeen, |server| server.set_nonblocking(false))?
        && seen(Event::ToggleSeen, |server| {
            nix::fcntl::fcntl(server, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty()))?;
            Ok(())
        })?;
    let bit = |seen: bool, bit: u32| if seen { bit } else { 0 };
    Ok(bit(splices, habit::SPLICES) | bit(asks, habit::ASKS) | bit(toggles, habit::TOGGLES))
}

/// One call of splice(2); it finds nothing to move.
fn splice(socket: &TcpStream) -> io::Result<()> {
    let (_reader, writer) = io::pipe()?;
    let spliced = nix::fcntl::splice(socket, None, &writer, None, 1, nix::fcntl::SpliceFFlags::SPLICE_F_NONBLOCK);
    tracing::debug!(?spliced, "Spliced to see whether that is seen");
    Ok(())
}

/// Does a blocking receive call wait on when it is woken without bytes? The acknowledgement of its own FIN wakes it.
/// "No", the safe answer, also when that cannot be seen.
fn blocking_waits(client: &mut TcpStream, server: &TcpStream) -> io::Result<bool> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let _ = tell.send(nix::unistd::gettid());
            let mut server = server;
            server.read(&mut [0; 64])
        });
        let naps = told.recv().ok().and_then(|thread| naps_after(thread, None).map(|naps| (thread, naps)));
        server.shutdown(Shutdown::Write)?;
        // Asleep again, after it was woken: it waits on.
        let waits = naps.and_then(|(thread, naps)| naps_after(thread, Some(naps))).is_some();
        client.write_all(&[6; 64])?;
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(waits && matches!(read, Ok(64)))
    })
}

/// Waits until a thread sleeps, for the first time or after `before` naps: how often it has by then. `None`: it ended,
/// or it never slept.
fn naps_after(thread: nix::unistd::Pid, before: Option<u64>) -> Option<u64> {
    let start = Instant::now();
    while start.elapsed() < NAP {
        let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let naps: u64 = field("voluntary_ctxt_switches:")?.parse().ok()?;
        if field("State:")?.starts_with('S') && before.is_none_or(|before| naps > before) {
            return Some(naps);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

fn connect() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
    }
    Ok((client, server))
}

/// Messages that this end has sent past the stack.
fn sent_redirected(layout: &Layout, stream: &TcpStream) -> Result<u64, Trouble> {
    let local = stream.local_addr()?;
    let rows = crate::connections::rows(layout)?;
    Ok(rows.iter().filter(|row| row.local == local && row.role == "active").map(|row| row.redirected.messages).sum())
}
