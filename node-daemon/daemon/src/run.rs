//! `run`: the daemon on a node of a cluster.

use std::process::ExitCode;

use kube::{Client, Config};
use meshaccel_service::telemetry;
use meshaccel_sources::{Cluster, Source};

use crate::Error;
use crate::args::Run;
use crate::daemon::{self, Mode};
use crate::report::Reporter;

/// The command.
pub fn run(args: &Run) -> Result<ExitCode, Error> {
    telemetry::install(&args.daemon.telemetry);
    tracing::info!(?args, "Started");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Signals)?;
    runtime.block_on(daemon::run(&args.daemon, async || {
        // A pod's service account, else a kubeconfig. Whether the API server is there is another matter: it may come later.
        let config = Config::infer().await.map_err(|error| Error::Kubeconfig(error.into()))?;
        let client = Client::try_from(config).map_err(|error| Error::Kubeconfig(error.into()))?;
        let cluster = Cluster::watch(&client, &args.node_name, meshaccel_redirect::select::is_read);
        let reporter = Reporter::start(client, &args.node_name, cluster.api_health().clone());
        Ok(Mode { source: Source::Cluster(cluster), reporter: Some(reporter), uninstall_on_exit: false })
    }))
}
