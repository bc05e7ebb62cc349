//! What the kernel holds for a connection right now, read from the maps themselves.
//!
//! It changes nothing, and does not look at what should be there.

use std::net::{IpAddr, SocketAddr};

use aya::maps::MapError;
use waypoint_common::{
    addr::Addr,
    redirect::{
        Destination, DestinationKey, PodOfInterface, TUNNEL_PORT, action, config_flag,
        destination_flag::FAIL_CLOSED, pod_flag,
    },
};

use crate::mesh::object::ObjectName;

use super::{Error, Settings, desired, maps, pins::Pins};

/// Where the maps are.
#[derive(Clone, Debug)]
pub struct Lookup {
    pins: Pins,
}

/// What the kernel holds for a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// For its destination.
    pub destination: Entry,
    /// Whether new connections of its client are looked at.
    pub client: Client,
    /// Whether the agent is passed by, because it does not prove that it works.
    pub bypass: bool,
}

/// The entry of a destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// None: connections are left alone.
    None,
    /// Connections are handed to the agent.
    Capture {
        /// Whether it is for the waypoint that was asked about.
        expected: bool,
        /// Whether they are refused while no agent listens.
        fail_closed: bool,
    },
    /// Connections are refused.
    Refuse,
}

/// The entry of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Client {
    /// None: it is not of this node, or not enrolled.
    None,
    /// Behind this interface; new connections are looked at, or not.
    Behind {
        /// The host's end of its veth.
        ifindex: u32,
        /// Whether its new connections are looked at.
        looked_at: bool,
    },
}

impl Lookup {
    /// In the maps of this data path.
    pub fn new(settings: &Settings) -> Self {
        Self { pins: Pins::new(&settings.pin_dir) }
    }

    /// What is held for connections of a client to a destination, for which a waypoint is expected
    /// or none.
    pub fn of(
        &self,
        client: &[IpAddr],
        destination: SocketAddr,
        waypoint: Option<&ObjectName>,
    ) -> Result<Held, Error> {
        let config = maps::Configuration::of_pins(&self.pins)?;
        Ok(Held {
            destination: self.destination(destination, waypoint)?,
            client: self.client(client)?,
            bypass: config.current().flags & config_flag::BYPASS != 0,
        })
    }

    /// The entry that decides, found as `decide` finds it.
    fn destination(
        &self,
        destination: SocketAddr,
        waypoint: Option<&ObjectName>,
    ) -> Result<Entry, Error> {
        let table = maps::destinations(&self.pins)?;
        let read = |port: u16| {
            let key = DestinationKey::tcp(destination.ip().into(), port.to_be());
            found(table.get(&key, 0))
        };
        let entry = match read(destination.port())? {
            None if destination.port() != TUNNEL_PORT => read(0)?,
            entry => entry,
        };
        let expected = |held: &Destination| {
            held.waypoint_id == waypoint.map(desired::number).unwrap_or_default()
        };
        Ok(match entry {
            None => Entry::None,
            Some(held) if held.action == action::REFUSE => Entry::Refuse,
            Some(held) => Entry::Capture {
                expected: expected(&held),
                fail_closed: held.flags & FAIL_CLOSED != 0,
            },
        })
    }

    fn client(&self, addresses: &[IpAddr]) -> Result<Client, Error> {
        let (interfaces, pods) = (maps::interfaces(&self.pins)?, maps::pods(&self.pins)?);
        for address in addresses {
            let Some(place) = found(interfaces.get(&Addr::from(*address), 0))? else { continue };
            let pod: Option<PodOfInterface> = found(pods.get(&place.ifindex, 0))?;
            let looked_at = pod.is_some_and(|pod| pod.flags & pod_flag::CLIENT != 0);
            return Ok(Client::Behind { ifindex: place.ifindex, looked_at });
        }
        Ok(Client::None)
    }
}

/// What was read, if it is there.
fn found<T>(read: Result<T, MapError>) -> Result<Option<T>, Error> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(Error::map("lookup")(error)),
    }
}
