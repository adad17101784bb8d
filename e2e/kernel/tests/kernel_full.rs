//! Invariant 6: a full table costs acceleration, never traffic.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Shape, events, request};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(a_thousand_connections_are_served_by_a_table_of_sixteen);

fn a_thousand_connections_are_served_by_a_table_of_sixteen(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy, &["--max-connections", "16"])?;
    let mut pairs = pods.pairs(0, Family::V4, 1000)?;
    wait_for(Duration::from_secs(20), "the pod's share of the table to be full and in use", || {
        for pair in &mut pairs {
            request::by_hand(pair, 4, 64)?;
        }
        ensure!(daemon.events("pod_full")? > 0, "no counter says that the pod has its share");
        ensure!(daemon.messages("redirected")? > 0, "nothing is redirected");
        Ok(())
    })?;
    let promoted = daemon.connections()?.promoted();
    ensure!((2..=32).contains(&promoted), "{promoted} sockets are promoted");
    // Not all end at once: those that stay must not notice.
    let closing = pairs.split_off(500);
    let mut closing = closing;
    events::exchange(&mut closing, |index| Shape::random(index as u64, 32 << 10).closing())?;
    drop(closing);
    events::exchange(&mut pairs, |index| Shape::random(index as u64, 32 << 10).closing())?;
    drop(pairs);
    // The places are given back.
    let mut later = pods.pairs(0, Family::V4, 4)?;
    daemon.warm_all(&mut later)?;
    Ok(())
}
