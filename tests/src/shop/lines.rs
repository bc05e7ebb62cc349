//! Two protocols that are not HTTP: one in which the server speaks first, one that repeats every
//! byte.

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Greets with `220 NAME ready`, then answers each line with `NAME: LINE`, and ends after `QUIT`.
pub async fn greet(stream: TcpStream, name: &str) -> Result<()> {
    let (read, mut write) = stream.into_split();
    write.write_all(format!("220 {name} ready\r\n").as_bytes()).await?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        write.write_all(format!("{name}: {line}\r\n").as_bytes()).await?;
        if line == "QUIT" {
            break;
        }
    }
    Ok(())
}

/// Sends back what comes, until the client has ended its half.
pub async fn echo(stream: TcpStream) -> Result<()> {
    let (mut read, mut write) = stream.into_split();
    tokio::io::copy(&mut read, &mut write).await?;
    write.shutdown().await?;
    Ok(())
}
