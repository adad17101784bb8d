//! The admin endpoint: one GET, and one sample of the metrics.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::slowness;

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub body: String,
}

/// GET with a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    let limit = limit();
    let stream = TcpStream::connect_timeout(&address, limit).context("the admin endpoint does not answer")?;
    stream.set_read_timeout(Some(limit))?;
    ask(stream, path)
}

/// The same on the Unix socket.
pub fn get_privately(socket: &Path, path: &str) -> Result<Answer> {
    let stream = UnixStream::connect(socket).context("nobody answers on the admin socket")?;
    stream.set_read_timeout(Some(limit()))?;
    ask(stream, path)
}

fn limit() -> Duration {
    slowness::scaled(Duration::from_secs(10))
}

fn ask(mut stream: impl Read + Write, path: &str) -> Result<Answer> {
    // HTTP/1.0: the answer ends with the connection and is never chunked.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: meshaccel\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("an answer without a code")?;
    Ok(Answer { code, body: body.to_owned() })
}

/// Sum of the samples of `name` one of whose labels has the value `label`; all samples when `label` is empty.
pub fn sample(metrics: &str, name: &str, label: &str) -> Result<u64> {
    let mut sum = 0.0;
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (of, labels) = series.split_once('{').unwrap_or((series, ""));
        if of == name && (label.is_empty() || labels.contains(&format!("=\"{label}\""))) {
            sum += value.parse::<f64>().with_context(|| format!("not a sample: {line}"))?;
        }
    }
    Ok(sum as u64)
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn samples_are_summed_by_name_and_label() {
        let text = "# TYPE a counter\na_total{reason=\"x\",cpu=\"0\"} 3\na_total{reason=\"y\"} 4\nab_total 9\n";
        assert_eq!(sample(text, "a_total", "x").unwrap(), 3);
        assert_eq!(sample(text, "a_total", "").unwrap(), 7);
        assert_eq!(sample(text, "b_total", "").unwrap(), 0);
    }
}
