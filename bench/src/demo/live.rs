//! The daemon started in the middle of a load: what the same connections do before and after.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::interrupt;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_mesh::generator::wrk::Wrk;
use meshaccel_e2e_mesh::{Mesh, accelerate, envoy};

use crate::report::Timeline;

/// Requests that the client's sidecar has taken from its application.
const COUNTER: &str = "http.outbound_http.downstream_rq_total";
const LOAD_SECONDS: u32 = 11;
/// Plain until then.
const START_AT: Duration = Duration::from_secs(5);
/// Between two points of the timeline.
const STEP: Duration = Duration::from_millis(500);

/// Starts the daemon under the load of wrk, which must not see one failed request.
pub(super) fn start_under_load(mesh: &Mesh, url: &str, connections: u32) -> Result<(Daemon, Timeline)> {
    let load = Wrk::start(mesh.client(), url, connections, LOAD_SECONDS)?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(mesh, start));
        let daemon = interrupt::window(START_AT)
            .and_then(|()| accelerate::start(mesh, Promotion::Auto))
            .map(|daemon| (daemon, start.elapsed().as_secs_f64()));
        let points = watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (daemon, started_at) = daemon?;
        load.finish()?.check().context("the load during which the daemon was started")?;
        Ok((daemon, Timeline { points: points?, started_at }))
    })
}

/// Reads the counter until shortly before the load ends.
fn watch(mesh: &Mesh, start: Instant) -> Result<Vec<(f64, f64)>> {
    let end = Duration::from_secs(LOAD_SECONDS.into()) - STEP / 2;
    let (mut points, mut at, mut count) = (Vec::new(), start.elapsed(), envoy::counter(mesh.client(), COUNTER)?);
    let mut next = STEP;
    while next < end {
        interrupt::window(next.saturating_sub(start.elapsed()))?;
        let (now, requests) = (start.elapsed(), envoy::counter(mesh.client(), COUNTER)?);
        points.push((now.as_secs_f64(), (requests - count) as f64 / (now - at).as_secs_f64()));
        (at, count) = (now, requests);
        next += STEP;
    }
    // The first step holds the start of wrk itself.
    points.remove(0);
    Ok(points)
}
