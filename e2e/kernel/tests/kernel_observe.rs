//! Mode Observe: counts what would be redirected and touches nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::bpf::count_keys;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Reader, Shape, request, threads};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(observing_puts_nothing_into_the_sockhash);

fn observing_puts_nothing_into_the_sockhash(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(2)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy.clone().observe(), &[])?;
    let mut pairs = pods.pairs(0, Family::V4, 8)?;
    wait_for(Duration::from_secs(20), "the connections to be observed", || {
        for pair in &mut pairs {
            request::by_hand(pair, 12, 64)?;
        }
        let connections = daemon.connections()?;
        for pair in &pairs {
            let (client, server) = connections.both(pair)?;
            ensure!(client.paired && server.paired, "{client:?}");
            ensure!(client.reason.as_deref() == Some("observing"), "{client:?}");
        }
        Ok(())
    })?;
    threads::exchange(&mut pairs, |index| Shape::duplex(300_000, 1..=1 << 16).reader(Reader::ALL[index % 4]))?;
    let (entries, promoted) = (count_keys(daemon.bpffs(), "ma_sockets")?, daemon.connections()?.promoted());
    ensure!(
        entries == 0 && promoted == 0,
        "{entries} sockets are in the SOCKHASH, {promoted} by the daemon's own count"
    );
    ensure!(daemon.messages("redirected")? == 0, "messages were redirected");
    let events = daemon.events("promoted_early")? + daemon.events("promoted_late")?;
    ensure!(events == 0, "{events} sockets entered the SOCKHASH");
    // From observing to enforcing on the very same connections.
    daemon.manifests.write("acceleration.yaml", &policy.yaml())?;
    daemon.warm_all(&mut pairs)?;
    // The same question has another answer now.
    let entries = count_keys(daemon.bpffs(), "ma_sockets")?;
    ensure!(entries == 2 * pairs.len(), "{entries} sockets are in the SOCKHASH");
    for mut pair in pairs {
        pair.close()?;
    }
    Ok(())
}
