//! Addresses and ports, as keys and values of maps.

use bytemuck::{Pod, Zeroable};

/// IPPROTO_TCP.
pub const TCP: u8 = 6;
/// IPPROTO_UDP.
pub const UDP: u8 = 17;

/// An address of a Service (`clusterIP`, `externalIPs`, a node's for a NodePort, ...) with port and protocol. IPv4 is v4-mapped
/// (`::ffff:a.b.c.d`), so that one code path serves IPv4, IPv6 and v4-mapped sockets.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct Vip {
    /// Four words in network byte order, as `bpf_sock_addr` has them.
    pub address: [u32; 4],
    /// In network byte order.
    pub port: u16,
    /// [`TCP`] or [`UDP`].
    pub protocol: u8,
    /// Always zero.
    pub zero: u8,
}

/// Address and port of an endpoint, in the same form.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
pub struct Backend {
    /// Four words in network byte order.
    pub address: [u32; 4],
    /// In network byte order.
    pub port: u16,
    /// Always zero.
    pub zero: u16,
}

/// The third word of a v4-mapped address.
pub const MAPPED: u32 = u32::from_be_bytes([0, 0, 0xff, 0xff]).to_be();

/// The words of an IPv4 address, from its one word in network byte order.
#[inline(always)]
pub const fn mapped(v4: u32) -> [u32; 4] {
    [0, 0, MAPPED, v4]
}

/// The words of sixteen bytes in network order.
#[must_use]
pub const fn words(b: [u8; 16]) -> [u32; 4] {
    [
        u32::from_ne_bytes([b[0], b[1], b[2], b[3]]),
        u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
        u32::from_ne_bytes([b[8], b[9], b[10], b[11]]),
        u32::from_ne_bytes([b[12], b[13], b[14], b[15]]),
    ]
}

impl Vip {
    /// `port` in host byte order.
    #[must_use]
    pub const fn new(address: [u32; 4], port: u16, protocol: u8) -> Self {
        Self { address, port: port.to_be(), protocol, zero: 0 }
    }

    /// The port in host byte order.
    #[inline(always)]
    #[must_use]
    pub const fn host_port(&self) -> u16 {
        u16::from_be(self.port)
    }
}

impl Backend {
    /// `port` in host byte order.
    #[must_use]
    pub const fn new(address: [u32; 4], port: u16) -> Self {
        Self { address, port: port.to_be(), zero: 0 }
    }

    /// The port in host byte order.
    #[inline(always)]
    #[must_use]
    pub const fn host_port(&self) -> u16 {
        u16::from_be(self.port)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_v4_address_has_the_words_of_its_mapped_form() {
        let address = Ipv4Addr::new(10, 96, 0, 10);
        let word = u32::from_ne_bytes(address.octets());
        assert_eq!(mapped(word), words(address.to_ipv6_mapped().octets()));
    }
}
