//! `meshaccel-mesh`: the programs of the mesh's image, and its manifests. See [`meshaccel_e2e::cluster::mesh`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use meshaccel_e2e::cluster::mesh::manifests;
use meshaccel_e2e::load::endless::{self, Settings};
use meshaccel_e2e::mesh::interception::IstioRules;
use meshaccel_e2e::mesh::{envoy, files};

/// A service mesh in two pods, to be accelerated: `meshaccel-mesh manifests | kubectl apply -f -`.
#[derive(Debug, Parser)]
#[command(name = "meshaccel-mesh", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print all objects of the mesh, with certificates that are made now
    Manifests,
    /// Write the files that its server serves into a folder
    Files { folder: PathBuf },
    /// Ask a server again and again, compare every byte, and serve the counts
    Load(Load),
    /// Install Istio's rules in this pod, from the arguments that Istio's injector writes
    IstioIptables(IstioIptables),
    /// Ask the Envoy of this pod, e.g. /stats
    Admin { path: String },
}

#[derive(Debug, clap::Args)]
struct Load {
    server: SocketAddr,
    /// Connections, each with one request outstanding
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests after which a connection makes way for a new one
    #[arg(long, default_value_t = 2000)]
    renew_after: u64,
    /// Milliseconds between an answer and the next request
    #[arg(long, default_value_t = 2)]
    pause: u64,
    /// Address at which the counts are served
    #[arg(long, default_value = "0.0.0.0:15020")]
    status: SocketAddr,
}

#[derive(Debug, clap::Args)]
struct IstioIptables {
    /// Where the sidecar accepts what the application sends
    #[arg(short = 'p')]
    outbound: u16,
    /// Where it accepts what others send to the application
    #[arg(short = 'z')]
    inbound: u16,
    /// Its user
    #[arg(short = 'u')]
    uid: u32,
    /// REDIRECT is the only one known here
    #[arg(short = 'm', value_parser = ["REDIRECT"])]
    _mode: String,
    /// Addresses whose traffic is intercepted: all
    #[arg(short = 'i', value_parser = ["*"])]
    _addresses: String,
    /// Addresses whose traffic is not: none
    #[arg(short = 'x', value_parser = [""])]
    _excluded_addresses: String,
    /// Ports of the application that are intercepted: all
    #[arg(short = 'b', value_parser = ["*"])]
    _ports: String,
    /// Ports that are not
    #[arg(short = 'd', value_delimiter = ',')]
    excluded: Vec<u16>,
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Manifests => print!("{}", manifests()?),
        Command::Files { folder } => files::write_served(&folder)?,
        Command::Load(Load { server, connections, renew_after, pause, status }) => {
            let pause = Duration::from_millis(pause);
            endless::run(&Settings { server, connections, renew_after, pause, status })?;
        }
        Command::IstioIptables(IstioIptables { outbound, inbound, uid, excluded, .. }) => {
            IstioRules { outbound, inbound, uid, excluded }.install_here()?;
        }
        Command::Admin { path } => print!("{}", envoy::admin_here(&path)?),
    }
    Ok(())
}
