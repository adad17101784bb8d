//! Traffic through real sidecars while acceleration comes, is switched, and goes: the same bytes as without it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::{both_promotions, wait};
use meshaccel_e2e_mesh::exercise::{self, Servers};
use meshaccel_e2e_mesh::interception::Provider;
use meshaccel_e2e_mesh::talk::{Echo, Redis};
use meshaccel_e2e_mesh::{Mesh, accelerate};

both_promotions!(istio, linkerd);

/// For legs to be promoted on evidence while everything else runs on two processors.
const PROMOTION_LIMIT: Duration = Duration::from_secs(20);

fn istio(promotion: Promotion) -> Result<()> {
    accelerated(Provider::Istio, promotion)
}

fn linkerd(promotion: Promotion) -> Result<()> {
    accelerated(Provider::Linkerd, promotion)
}

fn accelerated(provider: Provider, promotion: Promotion) -> Result<()> {
    let mut mesh = Mesh::start(provider, 2)?;
    let _servers = Servers::start(&mesh)?;
    let address = mesh.server().v4();
    // Older than the daemon, and still there when it is gone.
    let mut echo = Echo::connect(mesh.client(), address)?;
    let mut redis = Redis::connect(mesh.client(), address)?;
    echo.ping(10, 64)?;
    redis.exercise(1000, 10)?;

    let done = AtomicBool::new(false);
    let daemon = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| while_not(&done, || exercise::everything(&mesh)));
        let result = come_and_switch(&mesh, promotion, &mut echo, &mut redis);
        done.store(true, Ordering::Relaxed);
        traffic
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .context("traffic beside the switching")?;
        result
    })?;

    // Gone in the middle of conversations.
    daemon.run_ok(&["uninstall"])?;
    echo.ping(100, 1000)?;
    redis.exercise(100_000, 100)?;
    exercise::tcp(&mesh, address)?;
    echo.stream(1 << 20)?;
    mesh.check_sidecars()
}

/// Starts the daemon, sees every leg redirected, and throws the switch.
fn come_and_switch(mesh: &Mesh, promotion: Promotion, echo: &mut Echo, redis: &mut Redis) -> Result<Daemon> {
    let daemon = accelerate::start(mesh, promotion)?;
    wait::wait_for(PROMOTION_LIMIT, "every leg to be redirected", || {
        echo.ping(100, 64)?;
        redis.exercise(1000, 10)?;
        let connections = daemon.connections()?;
        for (pod, side, across, what) in [
            ("client", "app", false, "client application to its sidecar"),
            ("client", "sidecar", false, "client sidecar to its application"),
            ("client", "sidecar", true, "client sidecar to server sidecar"),
            ("server", "sidecar", true, "server sidecar to client sidecar"),
            ("server", "sidecar", false, "server sidecar to its application"),
            ("server", "app", false, "server application to its sidecar"),
        ] {
            ensure!(accelerate::leg(&connections, pod, side, across) > 0, "nothing redirected from {what}");
        }
        Ok(())
    })?;
    for verb in ["off", "on", "off", "on"] {
        daemon.run_ok(&[verb])?;
        echo.ping(200, 333)?;
        redis.exercise(50_000, 100)?;
    }
    Ok(daemon)
}

fn while_not(done: &AtomicBool, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    loop {
        work()?;
        if done.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}
