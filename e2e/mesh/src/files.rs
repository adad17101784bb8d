//! Files that nginx serves and curl fetches, with their hashes: how the harness knows that bytes are right. wrk and
//! h2load count answers and never look at bodies.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use meshaccel_e2e_harness::content::pattern;
use meshaccel_e2e_harness::netns::run;

use super::pod::Pod;
use super::ports;
use super::process::User;

/// Names and sizes of what is served.
const FILES: [(&str, usize); 3] = [("1k", 1 << 10), ("64k", 64 << 10), ("10m", 10 << 20)];

/// A transfer that takes longer is a hang: 10 MB at the slow location's rate take 3 s.
const LIMIT: Duration = Duration::from_secs(25);

/// HTTP version that the client speaks to its sidecar, and the server's port for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    One,
    Two,
}

impl Http {
    pub fn port(self) -> u16 {
        match self {
            Self::One => ports::HTTP1,
            Self::Two => ports::HTTP2,
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::One => "--http1.1",
            Self::Two => "--http2-prior-knowledge",
        }
    }
}

/// Writes the files that are served.
pub fn write_served(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for (name, size) in FILES {
        std::fs::write(directory.join(name), pattern(size))?;
    }
    Ok(())
}

/// Fills nginx's directory.
pub(super) fn write(directory: &Path) -> Result<()> {
    write_served(directory)?;
    let upload = directory.join("upload");
    std::fs::create_dir_all(&upload)?;
    std::os::unix::fs::chown(&upload, Some(User::APP.0), Some(User::APP.0))?;
    Ok(())
}

/// The address as it stands in a URL.
pub fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// Fetches `path` with curl in `client` and returns the body.
pub fn fetch(client: &Pod, server: IpAddr, http: Http, path: &str) -> Result<Vec<u8>> {
    let url = format!("http://{}:{}/{path}", host(server), http.port());
    let body = client.output(User::APP, "curl", &["-sS", "--fail", http.flag(), &url], LIMIT);
    body.with_context(|| format!("download of {path} with curl {}", http.flag()))
}

/// Fetches a served file, `"64k"` or `"slow/10m"`, and compares every byte.
pub fn download(client: &Pod, server: IpAddr, http: Http, path: &str) -> Result<()> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (_, size) = FILES.iter().find(|(file, _)| *file == name).with_context(|| format!("{name} is not served"))?;
    compare(&format!("download of {path}"), &fetch(client, server, http, path)?, &pattern(*size))
}

/// Sends `size` bytes up and compares what the server wrote to its disk.
pub fn upload(client: &Pod, server: &Pod, address: IpAddr, http: Http, size: usize) -> Result<()> {
    let bytes = pattern(size);
    let source = client.directory().join(format!("upload-{size}"));
    std::fs::write(&source, &bytes)?;
    let name = format!("{size}-{}", http.port());
    let url = format!("http://{}:{}/upload/{name}", host(address), http.port());
    let source = source.to_string_lossy();
    let sent = client.output(User::APP, "curl", &["-sS", "--fail", http.flag(), "--upload-file", &source, &url], LIMIT);
    sent.with_context(|| format!("upload of {size} bytes with curl {}", http.flag()))?;
    let written: PathBuf = server.directory().join("nginx/upload").join(name);
    compare(&format!("upload of {size} bytes"), &std::fs::read(&written)?, &bytes)?;
    Ok(std::fs::remove_file(written)?)
}

/// The SHA-256 of a file that is served, by the sha256sum program: what a person would compare.
pub fn sha256(server: &Pod, name: &str) -> Result<String> {
    let path = server.directory().join("nginx").join(name);
    let line = run("sha256sum", &[&path.to_string_lossy()])?;
    Ok(line.split_whitespace().next().unwrap_or_default().to_owned())
}

/// An error that says where two byte strings part.
pub fn compare(what: &str, got: &[u8], expected: &[u8]) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    let at = got.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(got.len().min(expected.len()));
    bail!("{what}: {} bytes instead of {}, first difference at byte {at}", got.len(), expected.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_finds_an_exchanged_word() {
        let expected = pattern(4096);
        let mut got = expected.clone();
        got.swap(1000, 2000);
        assert_eq!(
            compare("x", &got, &expected).unwrap_err().to_string(),
            "x: 4096 bytes instead of 4096, first difference at byte 1000"
        );
        assert!(compare("x", &expected[..4095], &expected).is_err());
        compare("x", &expected, &expected).unwrap();
    }
}
