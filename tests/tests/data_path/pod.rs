//! A pod in the manner of a routed CNI: a namespace with one veth, and nothing else.

use std::{
    io::{self, Read as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use waypoint_user::{kernel::netns::Netns, mesh::workload::NetnsRef};

/// A namespace that goes with its value.
pub(crate) struct Pod {
    name: String,
    pub(crate) link: String,
    pub(crate) v4: String,
    pub(crate) v6: String,
}

impl Pod {
    /// Makes a pod; `number` tells it from every other on this host.
    pub(crate) fn new(number: u8) -> Self {
        let pod = Self {
            name: format!("wpt-a{number}"),
            link: format!("wpta{number}"),
            v4: format!("10.211.{number}.2"),
            v6: format!("fd77:a{number}::2"),
        };
        let _ = ip(&format!("netns del {}", pod.name));
        let _ = ip(&format!("link del {}", pod.link));
        let Self { name, link, v4, v6 } = &pod;
        for line in [
            format!("netns add {name}"),
            format!("link add {link} type veth peer name eth0 netns {name}"),
            format!("-n {name} addr add {v4}/32 dev eth0"),
            format!("-n {name} -6 addr add {v6}/128 dev eth0 nodad"),
            format!("-n {name} link set lo up"),
            format!("-n {name} link set eth0 up"),
            format!("link set {link} up"),
            format!("-n {name} route add default dev eth0"),
            format!("-n {name} -6 route add default dev eth0"),
            // The host answers for everything, as a routed CNI's proxy ARP would.
            format!("-n {name} link set eth0 arp off"),
        ] {
            ip(&line).expect(&line);
        }
        pod
    }

    /// As a manifest names it.
    pub(crate) fn netns(&self) -> NetnsRef {
        NetnsRef::Name(self.name.clone())
    }

    /// Runs a closure inside.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path: PathBuf = Path::new("/run/netns").join(&self.name);
        Netns::open(&path).expect("the pod").run(work).expect("inside the pod")
    }

    /// Dials from inside the pod and reads what the other side says until it closes.
    pub(crate) fn ask(&self, target: &str) -> io::Result<String> {
        let target: SocketAddr = target.parse().expect("an address");
        self.run(|| {
            let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut said = String::new();
            stream.read_to_string(&mut said).map(|_| said)
        })
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = ip(&format!("netns del {}", self.name));
    }
}

/// Runs `ip`; the error is what it says.
pub(crate) fn ip(arguments: &str) -> Result<String, String> {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

const PATIENCE: Duration = Duration::from_millis(1500);
