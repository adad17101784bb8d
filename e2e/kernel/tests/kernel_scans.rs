//! Sockets are visited in one of three ways. From Linux 7.3 on a classifier may not change a SOCKHASH: iterators over recorded
//! sockets do it instead, or over the sockets of each pod where those are refused. They must do the same.

use anyhow::{Context, Result, ensure};
use aya::maps::{HashMap, Map, MapData};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Reader, Shape, request, threads};
use meshaccel_e2e_harness::wait::wait_for;

both_promotions!(
    by_storage_sockets_are_promoted_taken_out_and_forgotten,
    by_scans_sockets_are_promoted_taken_out_and_forgotten,
    by_storage_records_of_sockets_that_are_gone_go,
    by_scans_records_of_sockets_that_are_gone_go,
);

/// Arguments of the daemon, and what it then says.
const STORAGE: (&[&str], &str) = (&["--without-classifier"], "storage");
const SCANS: (&[&str], &str) = (&["--without-classifier", "--without-storage"], "scan");

/// Bytes of a key and of a value of that map, which is opened only if they are right.
const ID: usize = 12;
const RECORD: usize = 120;
/// Where a record has the cookie of its socket.
const COOKIE: usize = 48;
const LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

fn by_storage_sockets_are_promoted_taken_out_and_forgotten(promotion: Promotion) -> Result<()> {
    promoted_taken_out_and_forgotten(promotion, STORAGE)
}

fn by_scans_sockets_are_promoted_taken_out_and_forgotten(promotion: Promotion) -> Result<()> {
    promoted_taken_out_and_forgotten(promotion, SCANS)
}

fn by_storage_records_of_sockets_that_are_gone_go(promotion: Promotion) -> Result<()> {
    records_of_gone_sockets_go(promotion, STORAGE)
}

fn by_scans_records_of_sockets_that_are_gone_go(promotion: Promotion) -> Result<()> {
    records_of_gone_sockets_go(promotion, SCANS)
}

fn promoted_taken_out_and_forgotten(promotion: Promotion, (arguments, way): (&[&str], &str)) -> Result<()> {
    // Two pods: all are seen from one, or each is entered.
    let pods = Pods::new(2)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy, arguments)?;
    ensure!(daemon.status()?["capabilities"]["promotion"] == way, "{}", daemon.status()?);
    for family in Family::ALL {
        let mut pairs = pods.pairs(0, family, 8)?;
        pairs.extend(pods.pairs(1, family, 8)?);
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

/// The program that sees sockets close may have missed one: then its record says what is no more.
fn records_of_gone_sockets_go(promotion: Promotion, (arguments, _): (&[&str], &str)) -> Result<()> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = pods.accelerate_with(&policy, arguments)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    let recorded = || -> Result<u64> {
        let recorded = &daemon.status()?["connections"]["recorded"];
        recorded.as_u64().with_context(|| format!("{recorded} sockets are recorded"))
    };
    wait_for(LIMIT, "both ends to be counted", || {
        ensure!(recorded()? == 2, "{} sockets are recorded", recorded()?);
        Ok(())
    })?;
    let layout = daemon.layout()?;
    let data = MapData::from_pin(layout.join("ma_ends"))?;
    let mut ends: HashMap<_, [u8; ID], [u8; RECORD]> = HashMap::try_from(Map::HashMap(data))?;
    let (mut id, mut record) = ends.iter().next().context("a socket is recorded")??;
    id[0] ^= 1;
    record[COOKIE] ^= 1;
    ends.insert(id, record, 0)?;
    wait_for(LIMIT, "the record of no socket to go", || {
        request::by_hand(&mut pair, 5, 64)?;
        ensure!(ends.get(&id, 0).is_err(), "it is still there");
        Ok(())
    })?;
    daemon.wait_redirecting(&mut pair)?;
    ensure!(recorded()? >= 2, "the records of open sockets are gone, too");
    pair.close()?;
    Ok(())
}
