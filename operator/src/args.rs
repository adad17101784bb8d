//! The command line: these comments are its reference.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};
use meshaccel_service::telemetry::TelemetryArgs;

use crate::plan::daemon::DaemonSettings;

/// Runs meshaccel in a cluster: keeps its node daemon where MeshAccelerations want it, and tells in their status what
/// became of them.
///
/// Nothing of it lies in the path of traffic: while it is away, nodes go on as they are.
#[derive(Debug, Parser)]
#[command(name = "meshaccel-operator", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator. Several replicas may run: one of them leads, the others are ready to.
    ///
    /// In a cluster it finds the API server by itself; elsewhere it goes by KUBECONFIG. It makes the node daemon's
    /// DaemonSet, ServiceAccount, ClusterRole, ClusterRoleBinding and ValidatingAdmissionPolicy, all named meshaccel-node,
    /// when the first MeshAcceleration is applied, and deletes them when the last one is gone from every node.
    Run(Run),
    /// Print the CustomResourceDefinitions.
    ///
    /// To install or upgrade them: meshaccel-operator crds | kubectl apply --server-side -f -
    Crds,
}

#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Image of the node daemon.
    #[arg(long, value_name = "IMAGE", env = "MESHACCEL_NODE_IMAGE", default_value = "localhost/meshaccel/node:dev")]
    pub node_image: String,
    /// Namespace of the operator's Lease and of the node daemon.
    #[arg(long, value_name = "NAMESPACE", env = "MESHACCEL_NAMESPACE", default_value = "meshaccel-system")]
    pub namespace: String,
    /// How many nodes an upgrade of the daemon may take at a time: a number, or a percentage such as 10%. What is
    /// accelerated stays so while its daemon is replaced.
    #[arg(long, value_name = "NUMBER", env = "MESHACCEL_MAX_UNAVAILABLE", default_value = "1", value_parser = max_unavailable)]
    pub max_unavailable: String,
    /// What the node daemon logs: error, warn, info, debug, trace, or a filter.
    #[arg(long, value_name = "FILTER", env = "MESHACCEL_NODE_LOG", default_value = "info")]
    pub node_log: String,
    /// Address of /livez, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", env = "MESHACCEL_METRICS_ADDRESS", default_value = "0.0.0.0:15078")]
    pub metrics_address: SocketAddr,
    /// Name of this replica in the Lease and in Events; the name of its pod. Default: the name of the machine.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub identity: Option<String>,
    #[command(flatten)]
    pub telemetry: TelemetryArgs,
}

impl Run {
    /// What is chosen about the daemon.
    pub fn daemon(&self) -> DaemonSettings {
        DaemonSettings {
            namespace: self.namespace.clone(),
            image: self.node_image.clone(),
            max_unavailable: self.max_unavailable.clone(),
            log: self.node_log.clone(),
        }
    }
}

/// As a DaemonSet takes it, without zero: an upgrade would never begin.
fn max_unavailable(text: &str) -> Result<String, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let fits = match number.parse::<u32>() {
        Ok(number) if text.ends_with('%') => (1..=100).contains(&number),
        Ok(number) => number >= 1 && i32::try_from(number).is_ok(),
        Err(_) => false,
    };
    if fits { Ok(text.to_owned()) } else { Err("expected a number of at least 1, or a percentage such as 10%".into()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn max_unavailable_is_a_number_or_a_percentage() {
        for good in ["1", "25", "10%", "100%"] {
            assert_eq!(max_unavailable(good).as_deref(), Ok(good));
        }
        for bad in ["0", "0%", "101%", "-1", "many", "", "%"] {
            assert!(max_unavailable(bad).is_err(), "{bad}");
        }
    }
}
