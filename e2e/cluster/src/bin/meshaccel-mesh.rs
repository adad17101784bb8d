//! `meshaccel-mesh`: the programs of the mesh's image, and its manifests. See [`meshaccel_e2e_cluster::mesh`].

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use meshaccel_e2e_cluster::{istio, mesh};
use meshaccel_e2e_load::endless::{self, Settings, Speech};
use meshaccel_e2e_load::pattern::Task;
use meshaccel_e2e_load::{client, echo, exchange, server};
use meshaccel_e2e_mesh::interception::{IstioRules, Provider};
use meshaccel_e2e_mesh::{envoy, files};

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
    Manifests {
        /// For a cluster with Istio, which injects its own sidecars: applications only
        #[arg(long)]
        istio: bool,
        /// Linkerd's rules, names and users instead of Istio's
        #[arg(long, conflicts_with = "istio")]
        linkerd: bool,
    },
    /// Write the files that its server serves into a folder
    Files { folder: PathBuf },
    /// Wait until a server accepts connections
    Reach { server: SocketAddr },
    /// Ask a server again and again, compare every byte, and serve the counts
    Load(Load),
    /// Return what is sent: over TCP, and over gRPC
    Echo {
        #[arg(long, default_value = "0.0.0.0:9000")]
        tcp: SocketAddr,
        #[arg(long, default_value = "0.0.0.0:7070")]
        grpc: SocketAddr,
    },
    /// Install Istio's rules in this pod, from the arguments that Istio's injector writes
    IstioIptables(IstioIptables),
    /// Ask the Envoy of this pod, e.g. /stats
    Admin { path: String },
    #[command(hide = true, name = exchange::SERVER)]
    Server { task: String },
    #[command(hide = true, name = exchange::CLIENT)]
    Client { task: String },
}

#[derive(Debug, clap::Args)]
struct Load {
    server: SocketAddr,
    #[arg(long, value_enum, default_value = "http")]
    speech: Speech,
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
        Command::Manifests { istio: true, .. } => print!("{}", istio::OBJECTS),
        Command::Manifests { linkerd, .. } => {
            let provider = if linkerd { Provider::Linkerd } else { Provider::Istio };
            print!("{}", mesh::manifests(provider)?);
        }
        Command::Files { folder } => files::write_served(&folder)?,
        Command::Load(Load { server, speech, connections, renew_after, pause, status }) => {
            let pause = Duration::from_millis(pause);
            endless::run(&Settings { speech, server, connections, renew_after, pause, status })?;
        }
        Command::Reach { server } => {
            while let Err(error) = TcpStream::connect_timeout(&server, Duration::from_secs(1)) {
                eprintln!("{server}: {error}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Command::IstioIptables(IstioIptables { outbound, inbound, uid, excluded, .. }) => {
            IstioRules { outbound, inbound, uid, excluded }.install_here()?;
        }
        Command::Echo { tcp, grpc } => echo::run(tcp, grpc)?,
        Command::Server { task } => server::serve(&read(&task)?)?,
        Command::Client { task } => client::drive(&read(&task)?)?,
        Command::Admin { path } => print!("{}", envoy::admin_here(&path)?),
    }
    Ok(())
}

fn read(task: &str) -> Result<Task> {
    Ok(serde_json::from_str(task)?)
}
