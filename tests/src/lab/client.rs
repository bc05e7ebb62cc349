//! Calls that pods make.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

use super::{
    Lab,
    http::{Connection, Reply, Request},
    netns::Netns,
};

/// Somewhere in the lab from which calls are made.
#[derive(Clone, Copy, Debug)]
pub struct Client<'l> {
    pub(super) lab: &'l Lab,
    pub(super) place: Place<'l>,
}

/// A node, or a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place<'l> {
    Node(&'l str),
    Pod(&'l str),
}

impl<'l> Client<'l> {
    /// A call to the first port of a Service, by its virtual address.
    pub fn to(self, service: &'l str) -> Call<'l> {
        self.call(service, Target::Service(service))
    }

    /// A call to a pod, by its own address and first port.
    pub fn to_pod(self, pod: &'l str) -> Call<'l> {
        self.call(pod, Target::Pod(pod))
    }

    /// A call to any address.
    pub fn to_address(self, address: SocketAddr) -> Call<'l> {
        self.call(&address.to_string(), Target::Address(address))
    }

    /// Runs a program there, to its end.
    pub fn run(self, program: &str, arguments: &[&str]) -> Result<String> {
        self.netns()?.run(program, arguments)
    }

    /// Its network namespace.
    pub fn netns(self) -> Result<&'l Netns> {
        match self.place {
            Place::Node(name) => Ok(&self.lab.nodes.named(name)?.netns),
            Place::Pod(name) => Ok(&self.lab.inhabitant(name)?.netns),
        }
    }

    fn call(self, host: &str, target: Target<'l>) -> Call<'l> {
        Call {
            client: self,
            target,
            port: None,
            source: None,
            from_port: 0,
            request: Request::get(host),
        }
    }
}

/// What is dialled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'l> {
    Service(&'l str),
    Pod(&'l str),
    Address(SocketAddr),
}

/// A request that is about to be sent.
#[derive(Clone, Debug)]
pub struct Call<'l> {
    pub(super) client: Client<'l>,
    pub(super) target: Target<'l>,
    port: Option<u16>,
    source: Option<IpAddr>,
    from_port: u16,
    pub(super) request: Request,
}

impl Call<'_> {
    /// With a path and a query.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.request.path);
        self
    }

    /// With a method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.request.method);
        self
    }

    /// With a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.request.body);
        self
    }

    /// To another port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// From another address of the client.
    #[must_use]
    pub fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// From this port of the client.
    #[must_use]
    pub fn from_port(mut self, port: u16) -> Self {
        self.from_port = port;
        self
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The address that is dialled.
    pub fn address(&self) -> Result<SocketAddr> {
        let mut address = match self.target {
            Target::Service(name) => self.client.lab.service_address(name)?,
            Target::Pod(name) => self.client.lab.pod_address(name)?,
            Target::Address(address) => address,
        };
        if let Some(port) = self.port {
            address.set_port(port);
        }
        Ok(address)
    }

    /// The URL that a person would type.
    pub fn url(&self) -> Result<String> {
        Ok(format!("http://{}{}", self.address()?, self.request.path))
    }

    /// The network namespace in which it is made.
    pub(super) fn netns(&self) -> Result<&Netns> {
        self.client.netns()
    }

    /// Sends the request on a connection of its own.
    pub fn send(&self) -> Result<Reply> {
        self.open()?.exchange(&self.request).with_context(|| self.to_string())
    }

    /// Opens a connection for requests.
    pub fn open(&self) -> Result<Connection<TcpStream>> {
        Ok(Connection::over(self.connect()?))
    }

    /// Opens a connection for anything.
    pub fn connect(&self) -> Result<TcpStream> {
        let address = self.address()?;
        let any = if address.is_ipv4() { ANY_V4 } else { ANY_V6 };
        let source = SocketAddr::new(self.source.unwrap_or(any), self.from_port);
        let connect = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            if (self.source, self.from_port) != (None, 0) {
                socket.bind(&source.into())?;
            }
            socket.connect_timeout(&address.into(), CONNECT_DEADLINE)?;
            socket.set_read_timeout(Some(READ_DEADLINE))?;
            socket.set_write_timeout(Some(READ_DEADLINE))?;
            socket.set_tcp_nodelay(true)?;
            Ok(socket.into())
        };
        self.client.netns()?.within(connect).with_context(|| format!("connect for {self}"))
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path) = (&self.request.method, &self.request.path);
        write!(f, "{method} {path} from {:?} to {:?}", self.client.place, self.target)
    }
}

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const READ_DEADLINE: Duration = Duration::from_secs(10);
