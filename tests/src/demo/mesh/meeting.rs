//! Who met whom in one request, by the account of those who were there.

use std::fmt;

use anyhow::Result;

use crate::lab::{Lab, Visit};

/// One request: who asked, who stood between, who answered.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    /// The client's pod and node.
    client: String,
    /// The identity that the waypoint verified.
    client_identity: String,
    /// The waypoint's pod and node.
    waypoint: String,
    /// The server's pod and node.
    server: String,
    /// The address that the server was dialled from, and the identity it was told of.
    server_saw: String,
    /// How it ended.
    status: u16,
}

impl Meeting {
    /// Reads the accounts.
    pub(super) fn of(lab: &Lab, client: &str, waypoint: &str, visit: &Visit) -> Result<Self> {
        let place = |pod: &str| -> Result<String> {
            Ok(lab.node_of(pod).map_or_else(|_| pod.to_owned(), |node| format!("{pod} ({node})")))
        };
        let server = visit.reply.says("name").unwrap_or_else(|_| "nobody".to_owned());
        let peer = visit.reply.server_saw_peer().map(|peer| peer.to_string());
        let told = visit.reply.server_got(XFCC).ok().flatten();
        Ok(Self {
            client: place(client)?,
            client_identity: short(&visit.logged("source_principal")),
            waypoint: place(waypoint)?,
            server: place(&server)?,
            server_saw: match (peer, told) {
                (Ok(peer), Some(told)) => format!("{peer} for {}", short(&uri(&told))),
                _ => "-".to_owned(),
            },
            status: visit.reply.status,
        })
    }

    fn cells(&self) -> [String; 6] {
        [
            self.client.clone(),
            self.client_identity.clone(),
            self.waypoint.clone(),
            self.server.clone(),
            self.server_saw.clone(),
            self.status.to_string(),
        ]
    }
}

/// The rows, aligned.
pub(super) fn table(meetings: &[Meeting]) -> String {
    let rows: Vec<_> = [TITLES.map(str::to_owned)]
        .into_iter()
        .chain(meetings.iter().map(Meeting::cells))
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..TITLES.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Meeting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, client_identity, waypoint, server, server_saw, status } = self;
        write!(
            out,
            "HTTP {status}: {client} came to {waypoint} as {client_identity}; {server} was dialled \
             by {server_saw}"
        )
    }
}

/// The client in a value of `x-forwarded-client-cert`.
pub(super) fn uri(told: &str) -> String {
    let uri = told.split([';', ',']).find_map(|part| part.strip_prefix("URI="));
    uri.unwrap_or_default().trim_matches('"').to_owned()
}

/// An identity without what all of them share.
fn short(identity: &str) -> String {
    let inner = identity.trim_start_matches("spiffe://").trim_start_matches("cluster.local/");
    inner.to_owned()
}

const XFCC: &str = "x-forwarded-client-cert";
const TITLES: [&str; 6] =
    ["client", "proved to be", "waypoint", "server", "server was dialled by", "status"];
