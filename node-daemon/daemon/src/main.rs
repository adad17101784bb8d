//! `meshaccel-node`: parse, run, say what went wrong.

use std::process::ExitCode;

use clap::Parser;
use meshaccel_bpf::pins::Pins;
use meshaccel_node::args::{Cli, Command};
use meshaccel_node::{admin, connections, probe, run, standalone, switch, uninstall};
use meshaccel_service::Chain;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Standalone(args) => standalone::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Probe { pins, output } => probe::command(&Pins::new(&pins.bpffs), output),
        Command::Connections { pins, output, watch } => connections::command(&Pins::new(&pins.bpffs), output, watch),
        Command::Status { socket } => admin::command(&socket.admin_socket),
        Command::Off { switch, duration } => {
            switch::off(&Pins::new(&switch.pins.bpffs), switch.pod.as_deref(), duration)
        }
        Command::On { switch } => switch::on(&Pins::new(&switch.pins.bpffs), switch.pod.as_deref()),
        Command::Uninstall { pins, timeout } => uninstall::command(&Pins::new(&pins.bpffs), timeout),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", Chain(&error));
            ExitCode::FAILURE
        }
    }
}
