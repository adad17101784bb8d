//! Who a socket is.

use bytemuck::{Pod, Zeroable};

/// An address and a port. IPv4 is stored v4-mapped (`::ffff:a.b.c.d`), so that one code path serves IPv4, IPv6 and
/// v4-mapped sockets. Both fields are in network byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Endpoint {
    address: [u8; 16],
    port: [u8; 2],
}

impl Endpoint {
    /// From sixteen address bytes in network order and a port in host order.
    #[inline(always)]
    pub const fn new(address: [u8; 16], port: u16) -> Self {
        Self { address, port: port.to_be_bytes() }
    }

    /// From the four bytes of an IPv4 address in network order.
    #[inline(always)]
    pub const fn v4(a: [u8; 4], port: u16) -> Self {
        Self::new([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a[0], a[1], a[2], a[3]], port)
    }

    /// The sixteen bytes of the (possibly v4-mapped) address.
    #[inline(always)]
    pub const fn address(&self) -> &[u8; 16] {
        &self.address
    }

    /// The four bytes of a v4-mapped address.
    #[inline(always)]
    pub const fn v4_address(&self) -> Option<[u8; 4]> {
        match self.address {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => Some([a, b, c, d]),
            _ => None,
        }
    }

    /// The port in network order.
    #[inline(always)]
    pub const fn port_bytes(&self) -> [u8; 2] {
        self.port
    }

    /// The port in host order.
    #[inline(always)]
    pub const fn port(&self) -> u16 {
        u16::from_be_bytes(self.port)
    }
}

/// Key of the SOCKHASH: the 4-tuple as this socket sees it, scoped by its network namespace, so that a person can
/// read it; and the socket's cookie, so that a key names one socket for ever. A 4-tuple that is used again, in this
/// or another pod, is another key: no byte can reach the wrong socket by a stale key (invariant 1).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct SocketKey {
    /// This end, as the socket knows it (before NAT for a client behind REDIRECT).
    pub local: Endpoint,
    /// The other end, as the socket knows it.
    pub remote: Endpoint,
    /// How often the socket has left the SOCKHASH: what was known of an earlier stay must not be applied to a later one
    /// (see [`crate::redirect::connection::PEER_READY`]).
    pub generation: u32,
    /// Cookie of the network namespace (`SO_NETNS_COOKIE`), unique for the life of the machine.
    pub netns_cookie: u64,
    /// Cookie of the socket (`SO_COOKIE`), unique for the life of the machine.
    pub socket_cookie: u64,
}

impl SocketKey {
    /// All of it.
    #[inline(always)]
    pub fn words(&self) -> &[u64; size_of::<Self>() / 8] {
        bytemuck::cast_ref(self)
    }

    /// All of it, to be written.
    #[inline(always)]
    pub fn words_mut(&mut self) -> &mut [u64; size_of::<Self>() / 8] {
        bytemuck::cast_mut(self)
    }
}

/// Which end of a connection a socket is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It called connect().
    Active = 0,
    /// It was accepted.
    Passive = 1,
}

/// Identity of one end: both first data sequence numbers of the connection (initial sequence number + 1), and the role.
///
/// NAT changes addresses and ports, never sequence numbers (RFC 9293 3.4.1: chosen at random by each side). Both ends
/// of a connection share these 64 bits, and no other two sockets do; so ends pair across REDIRECT, DNAT and network
/// namespaces without asking conntrack.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct EndId {
    /// First data byte's sequence number from the client to the server.
    pub client_sequence: u32,
    /// First data byte's sequence number from the server to the client.
    pub server_sequence: u32,
    /// [`Role`] as a number.
    pub role: u32,
}

impl EndId {
    /// Identity of the end that has `role`.
    #[inline(always)]
    pub const fn new(client_sequence: u32, server_sequence: u32, role: Role) -> Self {
        Self { client_sequence, server_sequence, role: role as u32 }
    }

    /// The same from the first data sequence numbers that this end sends and receives.
    #[inline(always)]
    pub const fn at(role: Role, sent: u32, received: u32) -> Self {
        match role {
            Role::Active => Self::new(sent, received, role),
            Role::Passive => Self::new(received, sent, role),
        }
    }

    /// Identity of the other end of the same connection.
    #[inline(always)]
    pub const fn peer(&self) -> Self {
        Self { client_sequence: self.client_sequence, server_sequence: self.server_sequence, role: self.role ^ 1 }
    }
}
