//! How most tests of a cluster begin and end: a mesh under load, meshaccel installed, and no request failed.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::mesh::Mesh;
use super::meshaccel::Meshaccel;
use super::{Cluster, Extent};
use crate::stage;

/// For each step; what it takes is printed.
pub const LIMIT: Duration = Duration::from_secs(40);

/// Runs `body` on a cluster with the harness's mesh and meshaccel, under load from the beginning to the end.
pub fn with_mesh(body: impl FnOnce(&Cluster, &Mesh<'_>, &Meshaccel<'_>) -> Result<()>) {
    stage::check(|| {
        Cluster::run(Extent::Node, &["mesh", "node", "operator"], |cluster| {
            let mesh = Mesh::apply(cluster)?;
            let meshaccel = Meshaccel::install(cluster)?;
            mesh.load_goes_on(200)?;
            body(cluster, &mesh, &meshaccel)?;
            mesh.load_goes_on(200).map(drop)
        })
    });
}

/// Runs `body` and says how long it took.
pub fn timed<T>(what: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = body()?;
    eprintln!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(result)
}
