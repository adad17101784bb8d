//! What the pods of one node are kept from: learning of each other, and hurting each other through the daemon.

use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::daemon::admin;
use meshaccel_e2e_harness::failure::check;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, request};
use meshaccel_e2e_harness::wait::wait_for;

/// Every pod of a cluster reaches the daemon's address.
#[test]
fn who_reaches_the_daemons_address_learns_of_no_pod() {
    check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate(Promotion::Auto)?;
        let mut pair = pods.pair(0)?;
        daemon.warm(&mut pair)?;
        let name = pods.name(0);
        for path in ["/connections", "/status"] {
            let private = daemon.get(path)?;
            ensure!(private.code == 200 && private.body.contains(&name), "root is told: {private:?}");
            let public = admin::get(daemon.admin(), path)?;
            ensure!(public.code == 404, "{path} on the daemon's address: {public:?}");
        }
        for path in ["/livez", "/readyz", "/metrics"] {
            let public = admin::get(daemon.admin(), path)?;
            ensure!(public.code == 200 && !public.body.contains("pod-0"), "{path} on the daemon's address: {public:?}");
        }
        let socket = std::fs::metadata(daemon.socket())?;
        ensure!(socket.uid() == 0 && socket.permissions().mode() & 0o777 == 0o600, "{socket:?}");
        pair.close()?;
        Ok(())
    });
}

/// Connections without end in one pod: they run on TCP, and other pods' are accelerated as before.
#[test]
fn a_pod_with_connections_without_end_costs_no_other_pod_its_own() {
    check(|| {
        let pods = Pods::new(3)?;
        let daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE), &["--max-connections", "16"])?;
        let greedy = pods.pairs(0, Family::V4, 500)?;
        ensure!(daemon.events("pod_full")? > 0, "nothing stands in the way of a pod with 500 connections");
        // Half of the table is left for the second, a quarter less what it has for the third.
        let mut second = pods.pairs(1, Family::V4, 7)?;
        daemon.warm_all(&mut second)?;
        let mut third = pods.pairs(2, Family::V4, 3)?;
        daemon.warm_all(&mut third)?;
        second.iter_mut().chain(&mut third).try_for_each(|pair| pair.close())?;
        ensure!(daemon.events("ends_full")? == 0, "the table is full");
        // Its places are given back.
        drop(greedy);
        for _ in 0..4 {
            let mut later = pods.pairs(0, Family::V4, 16)?;
            daemon.warm_all(&mut later)?;
            later.iter_mut().try_for_each(|pair| pair.close())?;
        }
        Ok(())
    });
}

/// Nobody sees sockets close that are older than the daemon; their records are swept.
fn swept_records_are_given_back(arguments: &[&str]) -> Result<()> {
    let pods = Pods::new(1)?;
    let mut older = pods.pairs(0, Family::V4, 16)?;
    for pair in &mut older {
        request::by_hand(pair, 10, 64)?;
    }
    let arguments = [&["--max-connections", "16"], arguments].concat();
    let daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE), &arguments)?;
    daemon.warm_all(&mut older)?;
    ensure!(daemon.events("imported")? == 32, "{} sockets are imported", daemon.events("imported")?);
    drop(older);
    wait_for(Duration::from_secs(30), "the records of closed sockets to go", || {
        let recorded = daemon.status()?["connections"]["recorded"].clone();
        ensure!(recorded == 0, "{recorded} sockets are recorded");
        Ok(())
    })?;
    let mut later = pods.pairs(0, Family::V4, 16)?;
    daemon.warm_all(&mut later)?;
    later.iter_mut().try_for_each(|pair| pair.close())?;
    Ok(())
}

#[test]
fn what_is_swept_is_given_back() {
    check(|| swept_records_are_given_back(&[]));
}

#[test]
fn what_is_swept_where_iterators_visit_is_given_back() {
    check(|| swept_records_are_given_back(&["--without-classifier"]));
}

/// More connections than the daemon serves, held open, and askers who never stop.
#[test]
fn askers_without_end_keep_the_daemon_neither_from_its_probes_nor_from_its_work() {
    check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate(Promotion::Auto)?;
        let (address, socket, over) = (daemon.admin(), daemon.socket(), AtomicBool::new(false));
        let held = (0..200).map(|_| TcpStream::connect(address)).collect::<std::io::Result<Vec<_>>>()?;
        let ask_on = |ask: &dyn Fn()| {
            while !over.load(Ordering::Relaxed) {
                ask();
            }
        };
        // What becomes of these is their own affair: whoever comes next may have their place.
        let scrape = || drop(admin::get(address, "/metrics"));
        let list = || drop(admin::get_privately(&socket, "/connections"));
        let probe_and_work = || {
            for _ in 0..50 {
                let answer = admin::get(address, "/livez")?;
                ensure!(answer.code == 200, "{answer:?}");
            }
            let mut pair = pods.pair(0)?;
            daemon.warm(&mut pair)?;
            pair.close()?;
            anyhow::Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| ask_on(&scrape));
                scope.spawn(|| ask_on(&list));
            }
            let result = probe_and_work();
            over.store(true, Ordering::Relaxed);
            result
        })?;
        drop(held);
        Ok(())
    });
}
