//! `status`: asks the daemon on its Unix socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use crate::Error;

/// The command.
pub fn command(socket: &Path) -> Result<ExitCode, Error> {
    let status = ask(socket).map_err(|source| Error::Ask { path: socket.to_owned(), source })?;
    // A reader that went away (`| head`) is no error.
    let _ = writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&status).unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

fn ask(socket: &Path) -> io::Result<serde_json::Value> {
    let mut stream = UnixStream::connect(socket)?;
    // HTTP/1.0: the answer ends with the connection and is never chunked.
    stream.write_all(b"GET /status HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(serde_json::from_str(body)?),
        _ => Err(io::Error::other(format!("it answers: {}", head.lines().next().unwrap_or_default()))),
    }
}
