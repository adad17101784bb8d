//! Is this socket the sidecar's, the application's, or excluded?

use meshaccel_abi::redirect::connection::{SIDE_APP, SIDE_EXCLUDED, SIDE_SIDECAR};
use meshaccel_abi::redirect::policy::NO_UID;
use meshaccel_abi::redirect::{Endpoint, Policy};

/// `SIDE_*` of a socket with these ends and this owner.
#[inline(always)]
pub fn side(policy: &Policy, local: &Endpoint, remote: &Endpoint, uid: u32) -> u32 {
    let (local_port, remote_port) = (local.port(), remote.port());
    for &port in &policy.excluded_ports {
        if port != 0 && (port == local_port || port == remote_port) {
            return SIDE_EXCLUDED;
        }
    }
    for &proxy in &policy.proxy_uids {
        if proxy != NO_UID && proxy == uid {
            return SIDE_SIDECAR;
        }
    }
    for &port in &policy.sidecar_ports {
        if port != 0 && port == local_port {
            return SIDE_SIDECAR;
        }
    }
    for source in &policy.loopback_sources {
        if *source != [0; 16] && source == local.address() {
            return SIDE_SIDECAR;
        }
    }
    SIDE_APP
}

#[cfg(test)]
mod tests {
    use super::*;

    fn istio() -> Policy {
        let mut policy = Policy::free();
        policy.proxy_uids = [1337, NO_UID];
        policy.sidecar_ports[..2].copy_from_slice(&[15001, 15006]);
        policy.excluded_ports[0] = 3306;
        policy.loopback_sources[0] = *Endpoint::v4([127, 0, 0, 6], 0).address();
        policy
    }

    #[test]
    fn uid_port_and_loopback_source_tell_the_sidecar() {
        let policy = istio();
        let app = Endpoint::v4([10, 0, 0, 1], 40000);
        let at = |port| Endpoint::v4([127, 0, 0, 1], port);
        assert_eq!(side(&policy, &app, &at(80), 1000), SIDE_APP);
        assert_eq!(side(&policy, &app, &at(80), 1337), SIDE_SIDECAR);
        assert_eq!(side(&policy, &at(15001), &app, 0), SIDE_SIDECAR);
        assert_eq!(side(&policy, &Endpoint::v4([127, 0, 0, 6], 50000), &at(8080), 1000), SIDE_SIDECAR);
        // Talking to the sidecar's port does not make one the sidecar.
        assert_eq!(side(&policy, &app, &at(15001), 1000), SIDE_APP);
    }

    #[test]
    fn an_excluded_port_counts_at_either_end_and_before_all_else() {
        let policy = istio();
        let (a, b) = (Endpoint::v4([10, 0, 0, 1], 3306), Endpoint::v4([10, 0, 0, 2], 50000));
        assert_eq!(side(&policy, &a, &b, 1337), SIDE_EXCLUDED);
        assert_eq!(side(&policy, &b, &a, 1337), SIDE_EXCLUDED);
    }

    #[test]
    fn empty_places_match_nothing() {
        let (zero, policy) = (Endpoint::new([0; 16], 0), Policy::free());
        assert_eq!(side(&policy, &zero, &zero, NO_UID), SIDE_APP);
    }
}
