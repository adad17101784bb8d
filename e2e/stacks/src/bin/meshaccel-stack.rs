//! The contract's server and client of e2e/stacks in Rust, on tokio: axum, and HTTP/1.1 by hand on a tokio socket, which takes a
//! short read for the end of what is there. `table` prints docs/stacks.md from what the tests kept.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query};
use axum::routing::{get, post};
use meshaccel_e2e_stacks::operation::{Operation, Verb, base, check, hex, parse};
use meshaccel_e2e_stacks::table;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["table", folder] => {
            print!("{}", table::markdown(&table::read(std::path::Path::new(folder))?));
            Ok(())
        }
        ["serve", address] => serve(address.parse()?).await,
        ["client", address, port, _base, operations, seconds] => {
            let address = SocketAddr::new(address.parse()?, port.parse()?);
            client(address, &std::fs::read_to_string(operations)?, Duration::from_secs_f64(seconds.parse()?)).await
        }
        _ => bail!("serve ADDRESS:PORT, table FOLDER, or client ADDRESS PORT BASE OPERATIONS SECONDS"),
    }
}

async fn serve(address: SocketAddr) -> Result<()> {
    let piece = |Path(size): Path<usize>, Query(query): Query<HashMap<String, usize>>| async move {
        let seed = query.get("seed").copied().unwrap_or_default();
        Bytes::from_static(base().get(seed..seed + size).unwrap_or_default())
    };
    let hash = |body: Bytes| async move { hex(ring::digest::digest(&ring::digest::SHA256, &body).as_ref()) };
    let app =
        Router::new().route("/bytes/{size}", get(piece)).route("/hash", post(hash)).layer(DefaultBodyLimit::disable());
    Ok(axum::serve(TcpListener::bind(address).await?, app).await?)
}

async fn client(address: SocketAddr, operations: &str, length: Duration) -> Result<()> {
    let operations = operations.lines().map(parse).collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let mut stream = None;
    let mut first = true;
    while first || start.elapsed() < length {
        for operation in &operations {
            if !first && start.elapsed() >= length {
                return Ok(());
            }
            let begin = Instant::now();
            let call = tokio::time::timeout(Duration::from_secs(10), perform(&mut stream, address, operation));
            match call.await.context("timed out").flatten() {
                Ok(()) => println!("ok {:.1}", begin.elapsed().as_secs_f64() * 1000.0),
                Err(error) => {
                    println!("bad {}", format!("{error:#}").replace('\n', " "));
                    return Ok(());
                }
            }
        }
        first = false;
    }
    Ok(())
}

async fn perform(kept: &mut Option<BufReader<TcpStream>>, address: SocketAddr, operation: &Operation) -> Result<()> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            BufReader::new(stream)
        }
    };
    let &Operation { verb, size, seed } = operation;
    let head = match verb {
        Verb::Post => format!("POST /hash HTTP/1.1\r\nHost: stack\r\nContent-Length: {size}\r\n\r\n"),
        Verb::Get | Verb::Abort => format!("GET /bytes/{size}?seed={seed} HTTP/1.1\r\nHost: stack\r\n\r\n"),
    };
    stream.write_all(head.as_bytes()).await?;
    if verb == Verb::Post {
        stream.write_all(operation.piece()).await?;
    }
    let length = head_of(&mut stream).await?;
    if verb == Verb::Abort {
        stream.read_exact(&mut vec![0; 1000.min(length)]).await?;
        return Ok(());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    *kept = Some(stream);
    if verb == Verb::Post {
        check(operation, &body, operation.hash().as_bytes())
    } else {
        check(operation, &body, operation.piece())
    }
}

/// Reads an answer's head; the length of its body.
async fn head_of(stream: &mut BufReader<TcpStream>) -> Result<usize> {
    let (mut length, mut lines) = (None, 0);
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line).await? > 0, "the server closed instead of answering");
        lines += 1;
        ensure!(lines > 1 || line.contains(" 200"), "answered {line:?}");
        if line.trim_end().is_empty() {
            return length.context("an answer without a length");
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
}
