//! Where the real parts are: programs of the distribution, and what scripts/setup.sh put into the cache.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// Programs of Debian packages that the mesh needs, each with its package.
const PROGRAMS: [(&str, &str); 8] = [
    ("ip", "iproute2"),
    ("iptables-restore", "iptables"),
    ("tcpdump", "tcpdump"),
    ("curl", "curl"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("nginx", "nginx-light"),
    ("redis-server", "redis-server"),
];

/// Parts in the cache.
const CACHED: [&str; 2] = ["envoy/envoy", "linkerd-init/proxy-init"];

/// What is missing on this machine, by name; empty when everything is there.
pub fn missing() -> Vec<String> {
    let programs = PROGRAMS.iter().filter(|(program, _)| find(program).is_none());
    let mut missing: Vec<String> =
        programs.map(|(program, package)| format!("{program} (package {package})")).collect();
    missing.extend(CACHED.iter().filter(|part| cached(part).is_err()).map(|part| (*part).to_owned()));
    missing
}

/// A program on PATH or in the directories of system programs, which a user's PATH may lack.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|d| d.join(program)).find(|p| p.is_file())
}

/// A part that scripts/setup.sh fetched or built.
pub fn cached(part: &str) -> Result<String> {
    let base = std::env::var_os("MESHACCEL_CACHE").map(PathBuf::from).or_else(|| {
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
        Some(base.join("meshaccel"))
    });
    let path = base.context("neither MESHACCEL_CACHE nor HOME is set")?.join(part);
    if !path.is_file() {
        bail!("{} is missing: run scripts/setup.sh mesh", path.display());
    }
    path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{} is not UTF-8", path.display()))
}
