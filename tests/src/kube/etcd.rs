//! etcd on a socket of the file system, which needs no port and crosses network namespaces.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{part::Part, programs::Programs};
use crate::lab::{Connection, Request};

/// A running etcd of one member.
#[derive(Debug)]
pub(super) struct Etcd {
    part: Part,
    socket: PathBuf,
}

impl Etcd {
    /// Starts it on the state that the directory holds, if it holds any.
    pub(super) fn start(programs: &Programs, directory: &Path) -> Result<Self> {
        let at = |name: &str| directory.join(name).display().to_string();
        let file = directory.join("etcd.yaml");
        // Nobody asks a single member where it is: what it advertises is not dialled.
        let text = format!(
            "name: waypoint\n\
             data-dir: {state}\n\
             listen-client-urls: unix://{socket}\n\
             advertise-client-urls: http://localhost:2379\n\
             listen-peer-urls: unix://{peers}\n\
             initial-advertise-peer-urls: http://localhost:2380\n\
             initial-cluster: waypoint=http://localhost:2380\n\
             unsafe-no-fsync: true\n\
             log-level: warn\n",
            state = at(STATE),
            socket = at(SOCKET),
            peers = at("peers.sock"),
        );
        fs::write(&file, text)?;
        let (program, arguments) = programs.etcd(&file)?;
        let part = Part::start("etcd", &program, &arguments, directory, None)?;
        let mut etcd = Self { part, socket: directory.join(SOCKET) };
        let socket = etcd.socket.clone();
        etcd.part.wait_until("etcd that answers", || Ok(revision(&socket).is_ok()))?;
        Ok(etcd)
    }

    /// Where it listens, as the API server wants to be told.
    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Forgets everything but the present.
    pub(super) fn compact(&self) -> Result<()> {
        let revision = revision(&self.socket)?;
        ask(&self.socket, "compaction", &json!({"revision": revision, "physical": true}))?;
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.part.stop()
    }
}

fn revision(socket: &Path) -> Result<String> {
    // Any key will do; the revision is in the head of every answer.
    let answer = ask(socket, "range", &json!({"key": "AA==", "count_only": true}))?;
    let revision = answer.pointer("/header/revision").and_then(Value::as_str);
    Ok(revision.with_context(|| format!("no revision in {answer}"))?.to_owned())
}

fn ask(socket: &Path, verb: &str, question: &Value) -> Result<Value> {
    let stream = UnixStream::connect(socket).context("connect to etcd")?;
    let mut request = Request::get("etcd");
    "POST".clone_into(&mut request.method);
    request.path = format!("/v3/kv/{verb}");
    request.body = question.to_string().into_bytes();
    let reply = Connection::over(stream).exchange(&request)?;
    ensure!(reply.status == 200, "etcd refused {verb}: {} {}", reply.status, reply.text());
    reply.json()
}

/// Where its state is, in the directory of its control plane.
pub(super) const STATE: &str = "etcd";
const SOCKET: &str = "etcd.sock";
