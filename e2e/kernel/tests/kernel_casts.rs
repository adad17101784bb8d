//! The programs read the sockets of peers in one of two ways. Kernels before Linux 6.17 have the slower one only; it must do the
//! same.

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Reader, Shape, request, threads};

both_promotions!(without_casts_traffic_is_redirected_bounded_and_exact);

fn without_casts_traffic_is_redirected_bounded_and_exact(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE).promotion(promotion), &["--without-casts"])?;
    for family in Family::ALL {
        let mut pairs = pods.pairs(0, family, 8)?;
        daemon.warm_all(&mut pairs)?;
        let before = daemon.messages("redirected")?;
        for (index, pair) in pairs.iter_mut().enumerate() {
            request::rounds(pair, 300, 1..=9000, Reader::ALL[index % 4], index as u64)?;
        }
        let redirected = daemon.messages("redirected")? - before;
        ensure!(redirected > 300 * 8, "{family:?}: only {redirected} messages were redirected");
        threads::exchange(&mut pairs, |index| Shape::duplex(1 << 20, 1..=1 << 18).reader(Reader::ALL[index % 4]))?;
        pairs.iter_mut().try_for_each(|pair| pair.close())?;
    }
    Ok(())
}
