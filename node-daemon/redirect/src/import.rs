//! Finds the two ends of connections that were open before anyone recorded them. Pure.

use std::collections::HashMap;

use meshaccel_abi::redirect::{EndId, ImportSample, Role};

/// Identities, by socket cookie, of the sockets whose peer is among the samples too.
///
/// With client and server first data sequence numbers C and S: the active end sampled (C - 1, S), since its bytes_acked
/// counts the SYN; the passive end sampled (S, C). No other two sockets agree in these 64 bits, so a match tells both
/// that they belong together and which is which.
pub fn pair(samples: &[ImportSample]) -> Vec<(u64, EndId)> {
    let passive: HashMap<(u32, u32), u64> =
        samples.iter().map(|s| ((s.received_base, s.sent_base), s.socket_cookie)).collect();
    let mut identities = Vec::new();
    for active in samples {
        let (client, server) = (active.sent_base.wrapping_add(1), active.received_base);
        if let Some(&peer) = passive.get(&(client, server))
            && peer != active.socket_cookie
        {
            let id = EndId::new(client, server, Role::Active);
            identities.push((active.socket_cookie, id));
            identities.push((peer, id.peer()));
        }
    }
    identities
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn connection(client: u32, server: u32, cookies: (u64, u64)) -> [ImportSample; 2] {
        let sample = |socket_cookie, sent_base, received_base| ImportSample { socket_cookie, sent_base, received_base };
        [sample(cookies.0, client.wrapping_sub(1), server), sample(cookies.1, server, client)]
    }

    #[test]
    fn ends_without_a_peer_are_left_alone() {
        let [active, passive] = connection(100, 200, (1, 2));
        let [stranger, _] = connection(300, 400, (3, 4));
        assert!(pair(&[active, stranger]).is_empty());
        assert_eq!(pair(&[active, stranger, passive]).len(), 2);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let ids = pair(&connection(0, u32::MAX, (1, 2)));
        assert_eq!(ids, [(1, EndId::new(0, u32::MAX, Role::Active)), (2, EndId::new(0, u32::MAX, Role::Passive))]);
    }

    proptest! {
        #[test]
        fn every_connection_is_found_whatever_the_order(numbers in proptest::collection::hash_map(any::<u32>(), any::<u32>(), 1..50)) {
            let mut samples: Vec<_> = numbers.iter().enumerate()
                .flat_map(|(i, (c, s))| connection(*c, *s, (2 * i as u64 + 1, 2 * i as u64 + 2))).collect();
            samples.sort_by_key(|s| s.sent_base);
            let mut ids = pair(&samples);
            ids.sort_by_key(|(cookie, _)| *cookie);
            prop_assert_eq!(ids.len(), samples.len());
            for ends in ids.chunks(2) {
                prop_assert_eq!(ends[0].1.peer(), ends[1].1);
                prop_assert_eq!(ends[0].0 + 1, ends[1].0);
            }
        }
    }
}
