//! Settings below `/proc/sys/net`, which shows each thread those of its own namespace.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{super::netlink::Error, pair::INNER_LINK};

/// A file below `/proc/sys/net` and what is to be in it.
#[derive(Debug, Eq, PartialEq)]
pub(in super::super) struct Sysctl {
    path: PathBuf,
    value: &'static str,
}

/// Those of the agent's namespace as a whole.
pub(super) fn of_namespace() -> Vec<Sysctl> {
    NAMESPACE.iter().map(|(file, value)| sysctl(file, value)).collect()
}

/// Those of the pair's end in the agent's namespace.
pub(super) fn of_inner_link() -> Vec<Sysctl> {
    let of_link =
        |(file, value): &(&str, &'static str)| sysctl(&file.replace('*', INNER_LINK), value);
    INNER.iter().map(of_link).collect()
}

/// Those of a pair's end in the host's namespace: it takes part in no IPv6, so that it has no
/// address and is never heard.
pub(in super::super) fn of_outer_link(link: &str) -> Vec<Sysctl> {
    vec![sysctl(&format!("ipv6/conf/{link}/disable_ipv6"), "1")]
}

/// Whether the kernel does IPv6 at all.
pub(super) fn has_ipv6() -> bool {
    Path::new(BASE).join(IPV6).exists()
}

/// Writes those that differ. Those of IPv6 count only where the kernel does IPv6.
pub(super) fn write(sysctls: &[Sysctl], repairs: &mut Vec<String>) -> Result<(), Error> {
    let with_ipv6 = has_ipv6();
    let applies =
        |sysctl: &&Sysctl| with_ipv6 || !sysctl.path.starts_with(format!("{BASE}/{IPV6}"));
    for sysctl in sysctls.iter().filter(applies) {
        sysctl.write(repairs)?;
    }
    Ok(())
}

/// Writes those that differ, if that may be done at all: nothing breaks without them.
pub(in super::super) fn wish(sysctls: &[Sysctl], repairs: &mut Vec<String>) {
    for sysctl in sysctls.iter().filter(|sysctl| sysctl.path.exists()) {
        if let Err(cause) = sysctl.write(repairs) {
            tracing::info!(%cause, wanted = sysctl.value, "left as it is");
        }
    }
}

impl Sysctl {
    /// Writes it if it differs: where that cannot be done, it may have been done before.
    fn write(&self, repairs: &mut Vec<String>) -> Result<(), Error> {
        let Self { path, value } = self;
        let broken = |source: io::Error| Error::Sysctl { path: path.clone(), source };
        if fs::read_to_string(path).map_err(broken)?.trim() == *value {
            return Ok(());
        }
        fs::write(path, value).map_err(broken)?;
        repairs.push(format!("{} = {value}", path.display()));
        Ok(())
    }
}

fn sysctl(file: &str, value: &'static str) -> Sysctl {
    Sysctl { path: Path::new(BASE).join(file), value }
}

const BASE: &str = "/proc/sys/net";
const IPV6: &str = "ipv6";

/// In the order of writing; `all` and `default` come before links do.
const NAMESPACE: &[(&str, &str)] = &[
    // What arrives is delivered here or dropped.
    ("ipv4/ip_forward", "0"),
    ("ipv6/conf/all/forwarding", "0"),
    // Sources are pods' addresses, to which no route leads from here but the default one; the
    // host's choice is inherited.
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    // An accepted socket carries the mark that `from_pod` gave the first packet: which pod it is.
    ("ipv4/tcp_fwmark_accept", "1"),
    // The last packet of a handshake finds its way here by the half-open socket that the first one
    // made. A cookie makes none, so the handshake would end elsewhere; a longer queue takes its
    // part.
    ("ipv4/tcp_syncookies", "0"),
    ("ipv4/tcp_max_syn_backlog", "4096"),
    ("core/somaxconn", "4096"),
    // What is dialled from here in somebody's name must not meet what he dials himself: his ports
    // begin above. Nor may it look like a tunnel.
    ("ipv4/ip_local_port_range", "1024\t32767"),
    ("ipv4/ip_local_reserved_ports", "15008"),
    // Of a path that takes less than the veth nobody is told here.
    ("ipv4/tcp_mtu_probing", "1"),
    // A host may switch IPv6 off by default and still have pods that use it.
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/lo/disable_ipv6", "0"),
];

/// For the inner link, `*`.
const INNER: &[(&str, &str)] = &[
    ("ipv4/conf/*/rp_filter", "0"),
    ("ipv6/conf/*/disable_ipv6", "0"),
    // Nobody answers on the other side: no address is made up, none is checked, no router is asked.
    ("ipv6/conf/*/addr_gen_mode", "1"),
    ("ipv6/conf/*/accept_dad", "0"),
    ("ipv6/conf/*/accept_ra", "0"),
    ("ipv6/conf/*/autoconf", "0"),
];

#[cfg(test)]
mod tests;
