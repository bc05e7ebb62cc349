//! What can be done to a control plane: its API server killed, stopped, started again; the past
//! forgotten; connections cut.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{
    ControlPlane, lock,
    relay::Relay,
    server::{Needs, Server},
};

impl ControlPlane {
    /// Kills the API server. Who dials it from then on is disconnected at once.
    pub fn kill_api_server(&self) -> Result<()> {
        let server = lock(&self.server).take();
        drop(server.context("the API server does not run")?);
        Ok(())
    }

    /// Starts the API server again, on what etcd holds, and waits until it is ready. It remembers
    /// no changes from before: who wants to go on watching from there is answered with 410.
    pub fn start_api_server(&self) -> Result<()> {
        let mut running = lock(&self.server);
        ensure!(running.is_none(), "the API server runs already");
        let server = Server::start(Needs {
            programs: &self.programs,
            etcd: &self.etcd,
            pki: &self.pki,
            directory: self.directory.path(),
            place: &self.place,
            address: self.directory.loopback(),
        })?;
        self.relay.aim(server.address());
        self.each_door(|door| door.aim(server.address()));
        *running = Some(server);
        Ok(())
    }

    /// Stops the API server without ending it: connections stay open, and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a stopped API server go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Forgets every version of every object but the present one. The API server has the recent
    /// ones in memory besides; once it has been started again, a list of an older version, and a
    /// watch from there, are answered with 410.
    pub fn compact(&self) -> Result<()> {
        self.etcd.compact()
    }

    /// Resets every connection to the API server that is open. New ones are accepted.
    pub fn cut_connections(&self) {
        self.relay.cut();
        self.each_door(Relay::cut);
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        lock(&self.server).as_ref().context("the API server does not run")?.signal(signal)
    }
}
