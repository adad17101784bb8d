//! What the pods of one node are kept from: learning of each other, and hurting each other through the daemon.

use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use meshaccel_e2e::daemon::admin;
use meshaccel_e2e::manifest::Promotion;
use meshaccel_e2e::stage::{Pods, check};

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
