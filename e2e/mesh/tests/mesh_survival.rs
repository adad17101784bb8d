//! The daemon is killed, restarted and uninstalled under the load of wrk: not one request may fail, not one byte change.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_harness::{both_promotions, wait};
use meshaccel_e2e_mesh::files::{self, Http};
use meshaccel_e2e_mesh::generator::wrk::Wrk;
use meshaccel_e2e_mesh::interception::Provider;
use meshaccel_e2e_mesh::talk::{self, Echo};
use meshaccel_e2e_mesh::{Mesh, accelerate, ports, servers};
use rand::RngExt;

both_promotions!(killed_restarted_and_uninstalled_under_load);

/// Long enough for everything below; wrk is what is watched for failures.
const LOAD_SECONDS: u32 = 15;
/// For one step on a machine that is busy with the load.
const LIMIT: Duration = Duration::from_secs(20);
/// Far more messages than the load's connections have in flight at any moment.
const PROGRESS: u64 = 2000;

fn killed_restarted_and_uninstalled_under_load(promotion: Promotion) -> Result<()> {
    let mut mesh = Mesh::start(Provider::Istio, 2)?;
    let _nginx = servers::nginx(mesh.server())?;
    let _echo_server = talk::echo_server(mesh.server())?;
    let address = mesh.server().v4();
    let mut echo = Echo::connect(mesh.client(), address)?;
    let url = format!("http://{address}:{}/small", ports::HTTP1);
    let load = Wrk::start(mesh.client(), &url, 16, LOAD_SECONDS)?;
    let mut check_bytes = || -> Result<()> {
        echo.ping(20, 1000)?;
        files::download(mesh.client(), address, Http::One, "64k")
    };

    check_bytes()?;
    let mut daemon = accelerate::start(&mesh, promotion)?;
    progress(&daemon, "after the start")?;
    for round in 0..4 {
        // At a random moment of its life: while it loads, imports, or runs.
        daemon.kill9()?;
        check_bytes()?;
        progress(&daemon, "without a daemon")?;
        daemon.spawn()?;
        if rand::rng().random_bool(0.5) {
            daemon.kill9()?;
            daemon.spawn()?;
        }
        wait::wait_for(LIMIT, "the new daemon to be ready", || {
            ensure!(daemon.get("/readyz")?.code == 200, "not ready");
            Ok(())
        })
        .with_context(|| format!("in round {round}"))?;
        check_bytes()?;
    }
    daemon.stop()?;
    progress(&daemon, "after SIGTERM")?;
    daemon.run_ok(&["uninstall"])?;
    ensure!(daemon.objects()?.is_empty(), "uninstall left pins");
    check_bytes()?;
    // Again, on a node that has just been cleaned.
    daemon.restart()?;
    progress(&daemon, "after a new installation")?;
    daemon.kill9()?;
    daemon.run_ok(&["uninstall"])?;
    check_bytes()?;

    load.finish()?.check()?;
    files::download(mesh.client(), address, Http::One, "10m")?;
    echo.stream(1 << 20)?;
    mesh.check_sidecars()
}

/// Waits until redirection has carried many messages more, daemon or not.
fn progress(daemon: &Daemon, when: &str) -> Result<()> {
    let count = || Ok::<u64, anyhow::Error>(daemon.connections()?.redirected_messages());
    let before = count()?;
    wait::until(&format!("redirection of {PROGRESS} messages {when}"), LIMIT, || {
        Ok((count()? >= before + PROGRESS).then_some(()))
    })
}
