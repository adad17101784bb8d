//! What a sidecar takes keeps its VIP: it routes, authorises and counts by it. The rules are those of `istio-iptables` and of
//! Linkerd's proxy-init, in their order; whatever is not certain counts as taken, since what is translated too much goes past the mesh,
//! and what is translated too little only takes the usual path.

use meshaccel_abi::services::address::TCP as IPPROTO_TCP;
use meshaccel_abi::services::scope::{LISTED_NETWORKS, Network, SIDECAR, SIDECAR_DNS, TCP, UDP};
use meshaccel_abi::services::{Scope, Vip};

const DNS: u16 = 53;

/// What is to be done with a call that names a VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to an endpoint.
    Translate,
    /// The sidecar takes it.
    Sidecar,
    /// This network namespace has nothing of this protocol translated.
    NotAsked,
}

/// For a call of a process with `uid`.
#[inline(always)]
#[must_use]
pub fn verdict(scope: &Scope, uid: u32, vip: &Vip) -> Verdict {
    let is_tcp = vip.protocol == IPPROTO_TCP;
    if scope.flags & if is_tcp { TCP } else { UDP } == 0 {
        return Verdict::NotAsked;
    }
    if scope.flags & SIDECAR == 0 || scope.excluded_uids.contains(&uid) {
        return Verdict::Translate;
    }
    let port = vip.host_port();
    if scope.flags & SIDECAR_DNS != 0 && port == DNS {
        return Verdict::Sidecar;
    }
    match is_tcp && takes(scope, port, &vip.address) {
        true => Verdict::Sidecar,
        false => Verdict::Translate,
    }
}

/// Does the sidecar take TCP to there?
#[inline(always)]
fn takes(scope: &Scope, port: u16, address: &[u32; 4]) -> bool {
    if scope.excluded_ports.contains(&port) || is_in(&scope.excluded, address) {
        return false;
    }
    scope.flags & LISTED_NETWORKS == 0 || scope.included_ports.contains(&port) || is_in(&scope.included, address)
}

#[inline(always)]
fn is_in(networks: &[Network], address: &[u32; 4]) -> bool {
    networks.iter().any(|network| {
        network.is_used != 0 && (0..4).all(|word| address[word] & network.mask[word] == network.address[word])
    })
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use meshaccel_abi::services::address::{UDP as IPPROTO_UDP, words};
    use meshaccel_abi::services::scope::{NETWORKS, NO_UID, PORTS};

    use super::*;

    const APPLICATION: u32 = 1000;
    const PROXY: u32 = 1337;

    fn scope(flags: u32) -> Scope {
        Scope {
            flags: TCP | UDP | flags,
            excluded_uids: [PROXY, NO_UID, NO_UID, NO_UID, NO_UID, NO_UID],
            quota: 0,
            excluded_ports: [0; PORTS],
            included_ports: [0; PORTS],
            excluded: [Network::default(); NETWORKS],
            included: [Network::default(); NETWORKS],
        }
    }

    fn vip(address: [u8; 4], port: u16, protocol: u8) -> Vip {
        Vip::new(words(Ipv4Addr::from(address).to_ipv6_mapped().octets()), port, protocol)
    }

    fn network(address: [u8; 4], prefix: u32) -> Network {
        let mask = u128::MAX << (32 - prefix);
        let address = u128::from_be_bytes(Ipv4Addr::from(address).to_ipv6_mapped().octets()) & mask;
        Network { address: words(address.to_be_bytes()), mask: words(mask.to_be_bytes()), is_used: 1 }
    }

    #[test]
    fn without_a_sidecar_all_that_was_asked_for_is_translated() {
        let (tcp, udp) = (vip([10, 96, 0, 1], 80, IPPROTO_TCP), vip([10, 96, 0, 1], 80, IPPROTO_UDP));
        assert_eq!(verdict(&scope(0), APPLICATION, &tcp), Verdict::Translate);
        let only_udp = Scope { flags: UDP, ..scope(0) };
        assert_eq!(verdict(&only_udp, APPLICATION, &tcp), Verdict::NotAsked);
        assert_eq!(verdict(&only_udp, APPLICATION, &udp), Verdict::Translate);
    }

    #[test]
    fn a_sidecar_keeps_what_it_takes() {
        let mut meshed = scope(SIDECAR);
        meshed.excluded_ports[3] = 5432;
        meshed.excluded[1] = network([10, 96, 7, 0], 24);
        let go = |port, address| verdict(&meshed, APPLICATION, &vip(address, port, IPPROTO_TCP));
        assert_eq!(go(80, [10, 96, 0, 1]), Verdict::Sidecar);
        assert_eq!(go(5432, [10, 96, 0, 1]), Verdict::Translate);
        assert_eq!(go(80, [10, 96, 7, 200]), Verdict::Translate);
        assert_eq!(go(80, [10, 96, 8, 200]), Verdict::Sidecar);
        assert_eq!(verdict(&meshed, PROXY, &vip([10, 96, 0, 1], 80, IPPROTO_TCP)), Verdict::Translate);
        assert_eq!(verdict(&meshed, NO_UID - 1, &vip([10, 96, 0, 1], 80, IPPROTO_UDP)), Verdict::Translate);
    }

    #[test]
    fn a_sidecar_that_answers_dns_keeps_dns() {
        let meshed = scope(SIDECAR | SIDECAR_DNS);
        for protocol in [IPPROTO_TCP, IPPROTO_UDP] {
            assert_eq!(verdict(&meshed, APPLICATION, &vip([10, 96, 0, 10], 53, protocol)), Verdict::Sidecar);
            assert_eq!(verdict(&meshed, PROXY, &vip([10, 96, 0, 10], 53, protocol)), Verdict::Translate);
        }
        assert_eq!(verdict(&meshed, APPLICATION, &vip([10, 96, 0, 10], 54, IPPROTO_UDP)), Verdict::Translate);
    }

    #[test]
    fn of_listed_networks_a_sidecar_takes_those_and_listed_ports() {
        let mut meshed = scope(SIDECAR | LISTED_NETWORKS);
        meshed.included[0] = network([10, 97, 0, 0], 16);
        meshed.included_ports[0] = 8080;
        let go = |port, address| verdict(&meshed, APPLICATION, &vip(address, port, IPPROTO_TCP));
        assert_eq!(go(80, [10, 97, 3, 1]), Verdict::Sidecar);
        assert_eq!(go(80, [10, 96, 3, 1]), Verdict::Translate);
        assert_eq!(go(8080, [10, 96, 3, 1]), Verdict::Sidecar);
    }
}
