//! How many records a pod may have: as many as are left free. So one pod alone may take half of the table, two a third each,
//! and something is left however many come (dynamic thresholds, as switches share their buffers: Choudhury and Hahne, 1998).
//! A pod that opens connections without end costs itself acceleration, and nobody else.

/// May one more be recorded for a pod that has `pod` of the `node` records that there are? `capacity`: of the table.
#[inline(always)]
pub fn admits(pod: u64, node: u64, capacity: u64) -> bool {
    pod < capacity.saturating_sub(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(pods: &[u64]) -> u64 {
        pods.iter().sum()
    }

    #[test]
    fn one_may_have_half_and_two_a_third_each() {
        let take = |pods: &mut Vec<u64>| {
            while let Some(index) = (0..pods.len()).find(|&index| admits(pods[index], node(pods), 1200)) {
                pods[index] += 1;
                pods.sort_unstable();
            }
        };
        let mut one = vec![0];
        take(&mut one);
        let mut two = vec![0, 0];
        take(&mut two);
        assert_eq!((one, two), (vec![600], vec![400, 400]));
    }

    proptest! {
        /// Whoever comes, in whatever order: the table is never full, and who has none yet gets one.
        #[test]
        fn something_is_left(capacity in 64u64..100_000, greedy in prop::collection::vec(0usize..5, 0..2000)) {
            let mut pods = [0; 6];
            for index in greedy {
                // In large steps, each as if it asked one by one.
                let free = capacity - node(&pods);
                pods[index] += free.saturating_sub(pods[index]).div_ceil(2);
                prop_assert!(node(&pods) < capacity);
            }
            prop_assert!(admits(pods[5], node(&pods), capacity));
        }
    }
}
