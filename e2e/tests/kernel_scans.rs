//! Sockets are visited in one of two ways. From Linux 7.3 on a classifier may not change a SOCKHASH, and iterators scan the pods'
//! sockets instead; they must do the same.

use anyhow::{Result, ensure};
use meshaccel_e2e::both_promotions;
use meshaccel_e2e::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e::stage::{NAMESPACE, Pods};
use meshaccel_e2e::traffic::{Family, Reader, Shape, request, threads};
use meshaccel_e2e::wait::wait_for;

both_promotions!(by_scans_sockets_are_promoted_taken_out_and_forgotten);

const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

fn by_scans_sockets_are_promoted_taken_out_and_forgotten(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy, &["--without-classifier"])?;
    ensure!(daemon.status()?["capabilities"]["promotion"] == "scan", "{}", daemon.status()?);
    for family in Family::ALL {
        let mut pairs = pods.pairs(0, family, 8)?;
        daemon.warm_all(&mut pairs)?;
        for (index, pair) in pairs.iter_mut().enumerate() {
            request::rounds(pair, 300, 1..=9000, Reader::ALL[index % 4], index as u64)?;
        }
        threads::exchange(&mut pairs, |index| Shape::duplex(1 << 20, 1..=1 << 18).reader(Reader::ALL[index % 4]))?;
        // One that changes its ways leaves.
        pairs[0].server.stream.set_nonblocking(false)?;
        pairs[0].server.stream.set_nonblocking(true)?;
        wait_for(LIMIT, "a socket to leave", || {
            request::by_hand(&mut pairs[0], 5, 64)?;
            let connections = daemon.connections()?;
            let (client, server) = connections.both(&pairs[0])?;
            ensure!(client.path == "tcp" && server.path == "tcp", "{client:?} {server:?}");
            Ok(())
        })?;
        pairs.iter_mut().try_for_each(|pair| pair.close())?;
    }
    wait_for(LIMIT, "the records of closed sockets to go", || {
        let recorded = daemon.status()?["connections"]["recorded"].clone();
        ensure!(recorded == 0, "{recorded} sockets are recorded");
        Ok(())
    })?;
    Ok(())
}
