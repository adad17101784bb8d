//! Every family of socket, with every kind of reader: exact, and redirected.

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::traffic::{Family, Pace, Reader, Shape, request, threads};

both_promotions!(
    every_family_is_redirected_and_exact,
    requests_of_every_reader_are_redirected_and_exact,
    one_way_streams_are_exact,
);

fn every_family_is_redirected_and_exact(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    for family in Family::ALL {
        let mut pairs = pods.pairs(0, family, 16)?;
        daemon.warm_all(&mut pairs)?;
        let before = daemon.messages("redirected")?;
        threads::exchange(&mut pairs, |index| {
            let pace = if index % 8 < 4 { Pace::Fast } else { Pace::Slow };
            // Messages above half of the receive buffer take TCP: half of the connections stay below, half mix.
            let largest = if index % 2 == 0 { 16 << 10 } else { 1 << 20 };
            let shape = Shape::duplex(1 << 20, 1..=largest).reader(Reader::ALL[index % 4]);
            shape.pace(pace).seed(index as u64)
        })?;
        let redirected = daemon.messages("redirected")? - before;
        ensure!(redirected > 100, "{family:?}: {redirected} messages were redirected during the exchange");
        // Still in order and still usable, then a proper end.
        for pair in &mut pairs {
            request::by_hand(pair, 2, 333)?;
            pair.close()?;
        }
    }
    Ok(())
}

fn requests_of_every_reader_are_redirected_and_exact(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    for family in Family::ALL {
        for reader in Reader::ALL {
            let mut pair = pods.service(0, family)?.pair(Some(pods.netns(0)))?;
            daemon.warm(&mut pair)?;
            let before = daemon.redirected(&pair)?;
            request::rounds(&mut pair, 1000, 1..=64 << 10, reader, 11)?;
            let redirected = daemon.redirected(&pair)? - before;
            ensure!(redirected > 1000, "{family:?} {reader:?}: only {redirected} of 2000 messages were redirected");
        }
    }
    Ok(())
}

fn one_way_streams_are_exact(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    for messages in [1..=1, 1..=1000, 65_536..=65_536, 1 << 20..=1 << 20] {
        let mut pairs = pods.pairs(0, Family::V4, 4)?;
        daemon.warm_all(&mut pairs)?;
        let bytes = (*messages.end() as u64 * 50_000).min(16 << 20);
        threads::exchange(&mut pairs, |index| {
            let shape = Shape::one_way(bytes, messages.clone()).reader(Reader::ALL[index]);
            if index == 3 { shape.pace(Pace::Slow) } else { shape }
        })?;
    }
    Ok(())
}
