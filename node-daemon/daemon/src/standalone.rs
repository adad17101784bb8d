//! `standalone`: the daemon with objects from a folder.

use std::process::ExitCode;

use meshaccel_service::telemetry;
use meshaccel_sources::{ManifestFolder, Source};

use crate::Error;
use crate::args::Standalone;
use crate::daemon::{self, Mode};

/// The command.
pub fn run(args: &Standalone) -> Result<ExitCode, Error> {
    telemetry::install(&args.daemon.telemetry);
    tracing::info!(?args, "Started");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Signals)?;
    runtime.block_on(daemon::run(&args.daemon, async || {
        let folder = ManifestFolder::open(&args.manifests).map_err(Error::Manifests)?;
        let uninstall_on_exit = args.uninstall_on_exit;
        Ok(Mode { source: Source::Manifests(folder), reporter: None, uninstall_on_exit })
    }))
}
