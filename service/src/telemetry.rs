//! Logs on standard error.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// What kube's client logs of each failed attempt; both services say an outage once.
const QUIET: [&str; 2] = ["kube_client=off", "kube_runtime=off"];

#[derive(Clone, Debug, Args)]
pub struct TelemetryArgs {
    /// What to log: error, warn, info, debug, trace, or a filter by target such as info,kube_client=debug. Without
    /// targets, what the Kubernetes client itself says of failed requests is left out.
    #[arg(long, value_name = "FILTER", env = "MESHACCEL_LOG", default_value = "info")]
    pub log: String,
    /// Form of the log lines on standard error.
    #[arg(long, value_enum, env = "MESHACCEL_LOG_FORMAT", default_value_t = LogFormat::Plain)]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Plain,
    Json,
}

/// Installs the subscriber. A filter that does not parse falls back to `info`, and says so.
pub fn install(args: &TelemetryArgs) {
    let (filter, bad) = filter(&args.log);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match args.log_format {
        LogFormat::Plain => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    if let Some(error) = bad {
        tracing::warn!(error, filter = args.log, "Ignored a log filter that does not parse");
    }
}

/// The filter, and what is wrong with the text when it does not parse. Whoever names targets gets what they name.
fn filter(text: &str) -> (EnvFilter, Option<String>) {
    let (filter, bad) = match EnvFilter::try_new(text) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error.to_string())),
    };
    let quiet = if text.contains('=') { &[][..] } else { &QUIET };
    (quiet.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive), bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_is_quiet_unless_targets_are_named() {
        for (text, directives, good) in [
            ("info", &["info", "kube_client=off", "kube_runtime=off"][..], true),
            ("debug", &["debug", "kube_client=off", "kube_runtime=off"], true),
            ("info,kube_client=debug", &["info", "kube_client=debug"], true),
            ("info,,=x=", &["info"], false),
        ] {
            let (filter, bad) = filter(text);
            let shown = filter.to_string();
            let mut shown: Vec<_> = shown.split(',').collect();
            shown.sort_by_key(|directive| directives.iter().position(|expected| expected == directive));
            assert_eq!((shown.as_slice(), bad.is_none()), (directives, good), "{text}");
        }
    }
}
