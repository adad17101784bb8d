//! The trial itself: a few connections in a network namespace of its own, through the real programs.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use meshaccel_abi::Policy;
use meshaccel_abi::policy::{ANY_PAIR, EAGER, ENFORCE, NODE_SWITCH, SWITCH_OFF, SWITCH_ON};

use super::Fionread;
use crate::Error;
use crate::kernel::maps::{MappedPod, Maps, PodName, Slot};
use crate::kernel::passes::Passes;
use crate::kernel::pins::Layout;
use crate::sys::{netns, socket};

/// Bytes that are left unread to see where they count.
pub const UNREAD: usize = 1000;
/// Bytes that go through TCP beside them.
const BESIDE: usize = 500;
/// Enough exchanges to be worth promoting.
const EXCHANGES: usize = 16;
const DEADLINE: Duration = Duration::from_secs(5);

/// What was seen.
pub struct Trial {
    pub redirected: bool,
    pub redirected_messages: u64,
    pub receive_memory: u32,
    pub fionread: Fionread,
    pub late: bool,
}

impl Trial {
    /// Runs in a thread with a network namespace that ends with it.
    pub fn run(layout: &Layout) -> Result<Self, Error> {
        let failed = |what| move |source| Error::Probe { what, source };
        let tried = netns::in_new(|| tries(layout)).map_err(failed("cannot make a network namespace"))?;
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

fn tries(layout: &Layout) -> Result<Trial, Trouble> {
    netns::loopback_up()?;
    let cookie = netns::own_cookie()?;
    let mut maps = Maps::open(layout)?;
    let passes = Passes::open(layout)?;
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

    maps.set_policy(Slot(0), policy(0))?;
    let (mut client, mut server) = connect()?;
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
    passes.promote()?;
    exchange(EXCHANGES)?;
    let late = sent_redirected(layout, &client)? > 0;
    Ok(Trial { redirected: redirected_messages == 2, redirected_messages, receive_memory, fionread, late })
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
