//! RabbitMQ (Erlang's own event loop, edge after edge with EPOLLONESHOT), asked by pika.

use std::net::Ipv4Addr;

use anyhow::Result;
use meshaccel_e2e_mesh::process::User;

use super::python;
use super::site::{Running, Site};
use super::stack::{Agent, Asks, HalfClose, Stack};

pub const RABBITMQ: Stack = Stack {
    name: "RabbitMQ",
    server,
    asks: Asks::Programs,
    agents: &[Agent { name: "pika, to RabbitMQ", command: || python::client("client_pika.py"), aborts: false }],
    crowd: false,
    half_close: HalfClose::Steady,
};

fn server(site: &Site<'_>) -> Result<Running> {
    let folder = site.folder("rabbitmq", User::APP)?;
    let (port, distribution, epmd) = (site.free_port()?, site.free_port()?, site.free_port()?);
    let d = folder.display();
    let configuration = folder.join("rabbitmq.conf");
    std::fs::write(
        &configuration,
        format!(
            "listeners.tcp.1 = {}:{port}\nloopback_users = none\nlog.console = true\nlog.file = false\n\
             vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\n",
            site.address()
        ),
    )?;
    let environment = [
        format!("HOME={d}"),
        format!("RABBITMQ_BASE={d}"),
        format!("RABBITMQ_CONFIG_FILE={}", configuration.display()),
        format!("RABBITMQ_MNESIA_BASE={d}/mnesia"),
        format!("RABBITMQ_LOG_BASE={d}/log"),
        format!("RABBITMQ_PID_FILE={d}/pid"),
        format!("RABBITMQ_ENABLED_PLUGINS_FILE={d}/plugins"),
        format!("RABBITMQ_DIST_PORT={distribution}"),
        format!("ERL_EPMD_PORT={epmd}"),
        format!("ERL_EPMD_ADDRESS={}", Ipv4Addr::LOCALHOST),
        "RABBITMQ_NODENAME=stack@localhost".to_owned(),
        "LC_ALL=C.UTF-8".to_owned(),
        // The scripts in /usr/sbin change the user, which only root may.
        "/usr/lib/rabbitmq/bin/rabbitmq-server".to_owned(),
    ];
    let arguments: Vec<&str> = environment.iter().map(String::as_str).collect();
    site.ready(port, vec![site.start(User::APP, "rabbitmq", "/usr/bin/env", &arguments)?])
}
