//! What a node's first process does: it makes the mounts, starts what a node runs, and buries the
//! dead, of whom it is the last parent.
//!
//! It is started in namespaces of its own, whose mounts nobody outside sees.
//!
//! **Invariant:** nothing that is written here changes the machine: the few settings that kubelet
//! makes for a whole machine go into copies.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::wait::{WaitStatus, wait},
    unistd::{Pid, sethostname},
};

use super::{Place, outside};
use crate::cluster::settings::HERE;

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Whose node.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Its addresses, joined by a comma.
    pub address: String,
    /// The program that is kubelet and kube-proxy, by its first argument.
    pub kube: PathBuf,
}

/// Is the node, until one of its programs ends.
pub fn run(node: &Identity) -> Result<()> {
    sethostname(&node.name)?;
    mounts(node)?;
    let programs = [
        start("containerd", OsStr::new("containerd"), &["--config", &here("containerd.toml")])?,
        start("kubelet", node.kube.as_os_str(), &kubelet(node))?,
        start(
            "kube-proxy",
            node.kube.as_os_str(),
            &["kube-proxy", "--config", &here("proxy.yaml")],
        )?,
    ];
    loop {
        let ended = match wait() {
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) => pid,
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error).context("wait for children"),
        };
        if let Some((name, _)) = programs.iter().find(|(_, pid)| *pid == ended) {
            bail!("{name} ended; see /var/log/{name}.log");
        }
    }
}

fn kubelet(node: &Identity) -> Vec<String> {
    let zone =
        format!("topology.kubernetes.io/region=here,topology.kubernetes.io/zone={}", node.name);
    let pairs = [
        ("config", here("kubelet.yaml")),
        ("kubeconfig", here("kubelet.kubeconfig")),
        ("hostname-override", node.name.clone()),
        ("node-ip", node.address.clone()),
        ("node-labels", zone),
        ("cert-dir", "/var/lib/kubelet/pki".to_owned()),
    ];
    let options = pairs.map(|(name, value)| format!("--{name}={value}"));
    ["kubelet".to_owned()].into_iter().chain(options).collect()
}

fn start<A: AsRef<OsStr>>(
    name: &'static str,
    program: &OsStr,
    arguments: &[A],
) -> Result<(&'static str, Pid)> {
    let file = format!("/var/log/{name}.log");
    let log = OpenOptions::new().create(true).append(true).open(&file).context(file)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let child = command.spawn().with_context(|| format!("start {name}"))?;
    Ok((name, Pid::from_raw(i32::try_from(child.id())?)))
}

fn mounts(node: &Identity) -> Result<()> {
    let Identity { place, name, .. } = node;
    sysfs(&place.run().join(name))?;
    for setting in MACHINE_WIDE {
        let original = Path::new("/proc/sys").join(setting);
        let copies = place.run().join(name).join("node/sysctl");
        fs::create_dir_all(&copies)?;
        let copy = copies.join(setting.replace('/', "."));
        fs::write(&copy, fs::read(&original)?)?;
        bind(&copy, &original)?;
    }
    for own in ["/var/lib", "/var/log", "/run"] {
        bind(&outside(place, name, own), Path::new(own))?;
    }
    // What a pod mounts for its node must be seen there, and in other pods.
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_SHARED | MsFlags::MS_REC, none).context("share mounts")
}

/// A /sys that shows the node's network, with the machine's cgroups in it.
///
/// There is no bpffs: on most machines there is one, but who needs one may not rely on that.
fn sysfs(own: &Path) -> Result<()> {
    let (cgroups, aside) = (Path::new("/sys/fs/cgroup"), own.join("cgroup"));
    fs::create_dir_all(&aside)?;
    bind(cgroups, &aside)?;
    let none = None::<&str>;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).context("mount /sys")?;
    bind(&aside, cgroups)?;
    umount2(&aside, MntFlags::MNT_DETACH).context("unmount the cgroups aside")?;
    Ok(fs::remove_dir(&aside)?)
}

/// Mounts what is at one path, and below, at another.
fn bind(from: &Path, to: &Path) -> Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    let mounted = mount(Some(from), to, None::<&str>, flags, None::<&str>);
    mounted.with_context(|| format!("bind {} to {}", from.display(), to.display()))
}

fn here(file: &str) -> String {
    format!("{HERE}/{file}")
}

/// What kubelet sets to the values that it wants.
const MACHINE_WIDE: &[&str] = &[
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];
