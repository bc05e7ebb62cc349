//! `waypoint-shop`: the small test server and its clients.

#![forbid(unsafe_code)]

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::{Args, Parser};
use waypoint_tests::shop::{self, Protocol, connects, pingpong};

/// A small server that says who it is and what it got, and a ping-pong to measure a path.
#[derive(Parser)]
#[command(name = "waypoint-shop")]
enum Command {
    /// Serve until killed.
    Serve(Serve),
    /// Measure the latency of small messages over one connection.
    Pingpong(Pingpong),
    /// Measure what it takes to open and close connections, one after the other.
    Connects(Connects),
    /// Do nothing until killed, as the first process of a pod.
    Pause,
}

#[derive(Args)]
struct Serve {
    /// Who answers.
    #[arg(long)]
    name: String,
    /// Where to listen; may be repeated.
    #[arg(long = "listen", value_name = "ADDR:PORT", required = true)]
    addresses: Vec<SocketAddr>,
    /// What to speak.
    #[arg(long, value_enum, default_value = "http")]
    protocol: Protocol,
}

#[derive(Args)]
struct Pingpong {
    /// Answer messages on this address.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        conflicts_with = "connect",
        required_unless_present = "connect"
    )]
    listen: Option<SocketAddr>,
    /// Send messages to this address and print the times as JSON.
    #[arg(long, value_name = "ADDR:PORT")]
    connect: Option<SocketAddr>,
    /// How many messages.
    #[arg(long, default_value_t = 20_000)]
    rounds: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 64)]
    size: usize,
}

#[derive(Args)]
struct Connects {
    /// Accept and close connections on this address.
    #[arg(
        long,
        value_name = "ADDR:PORT",
        conflicts_with = "connect",
        required_unless_present = "connect"
    )]
    listen: Option<SocketAddr>,
    /// Open connections to this address and print the CPU time of one as JSON.
    #[arg(long, value_name = "ADDR:PORT")]
    connect: Option<SocketAddr>,
    /// How many batches of connections.
    #[arg(long, default_value_t = 40)]
    batches: u32,
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Pause => loop {
            std::thread::park();
        },
        Command::Serve(serve) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(shop::serve(&serve.name, serve.protocol, &serve.addresses)),
        Command::Pingpong(Pingpong { listen: Some(address), size, .. }) => {
            pingpong::listen(address, size)
        }
        Command::Pingpong(Pingpong { connect, rounds, size, .. }) => {
            let address = connect.context("neither --listen nor --connect")?;
            println!("{}", pingpong::connect(address, rounds, size)?);
            Ok(())
        }
        Command::Connects(Connects { listen: Some(address), .. }) => connects::listen(address),
        Command::Connects(Connects { connect, batches, .. }) => {
            let address = connect.context("neither --listen nor --connect")?;
            println!("{}", connects::connect(address, batches)?);
            Ok(())
        }
    }
}
