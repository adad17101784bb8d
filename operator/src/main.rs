//! `meshaccel-operator`: parse, run, say what went wrong.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use meshaccel_operator::args::{Cli, Command};
use meshaccel_operator::{Error, run};
use meshaccel_service::Chain;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Crds => crds(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", Chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn crds() -> Result<ExitCode, Error> {
    let yaml = meshaccel_crds::manifest::stream().map_err(|error| Error::Crds(error.to_string()))?;
    std::io::stdout().write_all(yaml.as_bytes()).map_err(Error::Output)?;
    Ok(ExitCode::SUCCESS)
}
