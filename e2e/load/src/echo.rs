//! Servers that return what they are sent, for a container: TCP as bytes, gRPC as messages.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};

use super::grpc;

/// Serves both until one of them cannot.
pub fn run(tcp: SocketAddr, grpc: SocketAddr) -> Result<()> {
    grpc::runtime()?.block_on(async { tokio::try_join!(serve(tcp), grpc::serve(grpc)).map(drop) })
}

async fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    loop {
        // A connection that ends before it is taken is nobody's error.
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            // How a connection ends is for its client to judge.
            let _ = echo(stream).await;
        });
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.split();
    tokio::io::copy(&mut reader, &mut writer).await.map(drop)
}
