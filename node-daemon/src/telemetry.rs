//! Logs on standard error.

use tracing_subscriber::EnvFilter;

use crate::args::{LogFormat, TelemetryArgs};

/// Installs the subscriber. A filter that does not parse falls back to `info`, and says so.
pub fn install(args: &TelemetryArgs) {
    let (filter, bad) = match EnvFilter::try_new(&args.log) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    // kube's client logs each failed attempt; outages are logged here, once. Whoever names targets gets what they name.
    let quiet = if args.log.contains('=') { None } else { "kube_client=off".parse().ok() };
    let filter = quiet.into_iter().fold(filter, EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match args.log_format {
        LogFormat::Plain => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    if let Some(error) = bad {
        tracing::warn!(%error, filter = args.log, "Ignored a log filter that does not parse");
    }
}
