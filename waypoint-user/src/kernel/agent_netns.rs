//! The agent's own network namespace: where captured packets are led and its listeners wait.
//!
//! ```text
//!  host                                  <run_dir>/netns/agent
//!  <link>, no addresses  ══ veth pair ══ eth0 ── rule "iif eth0" ── table 100 ── local, whatever
//!                                                                                the destination
//! ```
//!
//! It attaches no program and opens no listener.
//!
//! **Invariant:** what is right is not touched, so that making sure disturbs no connection.
//! **Invariant:** nothing of it is in the host's namespace but the one link, which has no address.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Settings, blocking,
    netlink::{Error, RouteSocket},
    netns::{self, Netns},
};
use addressing::Addressing;
use pair::Pair;

mod addressing;
mod pair;
pub(super) mod sysctls;

/// The namespace, and how the host knows it.
#[derive(Debug)]
pub struct AgentNetns {
    plan: Plan,
    netns: Netns,
    host_ifindex: u32,
    inner: Inner,
    nsid: i32,
}

/// The pair's end in the agent's namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inner {
    /// Its number there.
    pub ifindex: u32,
    /// Its hardware address.
    pub address: [u8; 6],
}

impl AgentNetns {
    /// Makes the namespace with everything in it, or repairs what is missing or wrong; logs what it
    /// did.
    pub async fn ensure(settings: &Settings) -> Result<Self, Error> {
        let plan = Plan::of(settings)?;
        let (agent, repairs) =
            blocking::run(move || establish(plan, None)).await.ok_or(Error::Interrupted)??;
        if !repairs.is_empty() {
            let netns = agent.netns.path().display();
            tracing::info!(%netns, ?repairs, "agent namespace set up");
        }
        Ok(agent)
    }

    /// Does the same on this thread, for a process that ends then, and says what it did.
    pub(super) fn make(settings: &Settings) -> Result<Vec<String>, Error> {
        establish(Plan::of(settings)?, None).map(|(_, repairs)| repairs)
    }

    /// Does so again, and says what had to be repaired. The numbers of the link and of the
    /// namespace may differ afterwards, and if somebody put another namespace in its place, so does
    /// [`Netns::inode`].
    pub async fn verify_or_repair(&mut self) -> Result<Vec<String>, Error> {
        let plan = self.plan.clone();
        let held = self.netns.duplicate()?;
        let work = move || establish(plan, Some(held));
        let (agent, repairs) = blocking::run(work).await.ok_or(Error::Interrupted)??;
        *self = agent;
        Ok(repairs)
    }

    /// Removes the link, the namespace and its directories, and says what there was. A process that
    /// still has sockets in the namespace keeps it alive, without links.
    pub fn remove(settings: &Settings) -> Result<Vec<String>, Error> {
        let plan = Plan::of(settings)?;
        let mut removed = Vec::new();
        if let Ok(netns) = Netns::open(&plan.path)
            && pair::remove(&netns, &plan.link)?
        {
            removed.push(format!("link {}", plan.link));
        }
        if netns::remove(&plan.path)? {
            removed.push(format!("network namespace {}", plan.path.display()));
        }
        match fs::remove_dir(&settings.run_dir) {
            Ok(()) => removed.push(format!("directory {}", settings.run_dir.display())),
            Err(error) if is_expected(&error) => {}
            Err(source) => {
                return Err(Error::Netns { path: settings.run_dir.clone(), source });
            }
        }
        Ok(removed)
    }

    /// The number of the pair's end in the host's namespace.
    pub fn host_ifindex(&self) -> u32 {
        self.host_ifindex
    }

    /// The other end.
    pub fn inner(&self) -> Inner {
        self.inner
    }

    /// The number by which the host's namespace knows the agent's.
    pub fn nsid(&self) -> i32 {
        self.nsid
    }

    /// The namespace itself.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }
}

/// What tells one agent from another.
#[derive(Clone, Debug)]
struct Plan {
    path: PathBuf,
    link: String,
}

impl Plan {
    fn of(settings: &Settings) -> Result<Self, Error> {
        let link = settings.link.clone();
        let odd = |c: char| c.is_whitespace() || c == '/' || c == ':';
        let reserved = ["", ".", "..", "all", "default"].contains(&link.as_str());
        if reserved || link.len() > LINK_NAME_BYTES || link.contains(odd) {
            return Err(Error::LinkName(link));
        }
        Ok(Self { path: settings.run_dir.join(BELOW_RUN_DIR), link })
    }
}

/// Makes everything be as it should; `held` is the namespace as it was last seen, put back in its
/// place if it lost its file, because listeners are in it.
fn establish(plan: Plan, held: Option<Netns>) -> Result<(AgentNetns, Vec<String>), Error> {
    let mut repairs = Vec::new();
    let netns = namespace(&plan.path, held, &mut repairs)?;
    let mut host = RouteSocket::open()?;
    let mut inside = netns.run(RouteSocket::open)??;

    netns.run(|| sysctls::write(&sysctls::of_namespace(), &mut repairs))??;
    let Pair { outer, inner } =
        pair::ensure(&mut host, &mut inside, &netns, &plan.link, &mut repairs)?;
    // Before a link comes up: IPv6 gives it an address and talks on it at that moment.
    sysctls::wish(&sysctls::of_outer_link(&plan.link), &mut repairs);
    netns.run(|| sysctls::write(&sysctls::of_inner_link(), &mut repairs))??;
    pair::bring_up(&mut host, &outer, &mut repairs)?;
    pair::bring_up(&mut inside, &inner, &mut repairs)?;
    pair::bring_up_loopback(&mut inside, &mut repairs)?;

    let with_ipv6 = netns.run(sysctls::has_ipv6)?;
    Addressing { socket: &mut inside, link: inner.index, repairs: &mut repairs }
        .ensure(&outer.hardware_address, with_ipv6)?;
    let nsid = numbered(&mut host, &netns)?;
    let gone = || Error::Malformed { what: format!("reading link {}", inner.name) };
    let address = inner.hardware_address.try_into().map_err(|_| gone())?;
    let inner = Inner { ifindex: inner.index, address };
    Ok((AgentNetns { plan, netns, host_ifindex: outer.index, inner, nsid }, repairs))
}

fn namespace(path: &Path, held: Option<Netns>, repairs: &mut Vec<String>) -> Result<Netns, Error> {
    let found = match Netns::open(path) {
        Err(Error::NotNetns { .. }) => None,
        Err(Error::Netns { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        outcome => Some(outcome?),
    };
    let netns = match (found, held) {
        (Some(netns), _) => netns,
        (None, Some(held)) => {
            repairs.push(format!("file {} of the network namespace", path.display()));
            held.bind(path)?;
            Netns::open(path)?
        }
        (None, None) => {
            repairs.push(format!("network namespace {}", path.display()));
            Netns::create(path)?
        }
    };
    if netns.inode() == Netns::current()?.inode() {
        return Err(Error::HostNetns { path: path.to_owned() });
    }
    Ok(netns)
}

fn numbered(host: &mut RouteSocket, netns: &Netns) -> Result<i32, Error> {
    if let Some(nsid) = host.nsid(netns)? {
        return Ok(nsid);
    }
    host.number(netns)?;
    let gone = || Error::Malformed { what: format!("numbering {}", netns.path().display()) };
    host.nsid(netns)?.ok_or_else(gone)
}

/// Others may keep files in the directory, or have removed it.
fn is_expected(error: &io::Error) -> bool {
    use io::ErrorKind::{DirectoryNotEmpty, NotFound, ResourceBusy};
    [DirectoryNotEmpty, NotFound, ResourceBusy].contains(&error.kind())
}

const BELOW_RUN_DIR: &str = "netns/agent";
/// `IFNAMSIZ` without its closing zero.
const LINK_NAME_BYTES: usize = 15;

#[cfg(test)]
mod tests;
