//! The one cluster that stands until it is taken down, for people: up, down, status.
//!
//! A process in the background keeps it; what asks and commands that process are other ones.
//!
//! **Invariant:** whoever keeps the cluster holds a lock, so that a killed keeper is known as such.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::signal::{SigSet, Signal, kill},
    unistd::Pid,
};

use super::{Cluster, Place, Settings, node, write_script};
use crate::lab::{command, wait};

/// Brings it up, unless it is up.
pub fn up(nodes: u8, images: &[PathBuf]) -> Result<()> {
    let place = Place::standing();
    if let Some(sheet) = sheet(&place) {
        println!("The cluster is up already.\n\n{sheet}");
        return Ok(());
    }
    if is_kept()? {
        bail!("the cluster is coming up or going down; `cargo xtask cluster status` says which");
    }
    let begun = Instant::now();
    // Not among the cluster's own files, which the keeper removes when it fails.
    let (words, complaints) = (Path::new(LOCKS).join(WORDS), Path::new(LOCKS).join(COMPLAINTS));
    let mut keeper = Command::new("setsid")
        .arg(std::env::current_exe()?)
        .args(["keep", "--nodes", &nodes.to_string()])
        .args(images.iter().flat_map(|image| [Path::new("--image"), image]))
        .stdin(Stdio::null())
        .stdout(File::create(&words)?)
        .stderr(File::create(&complaints)?)
        .spawn()
        .context("start setsid")?;
    if let Err(error) = follow(&mut keeper, &words, &place) {
        let _reaped = keeper.wait();
        let said = fs::read_to_string(&complaints).unwrap_or_default();
        bail!("{error:#}\n{said}");
    }
    println!("\nThe cluster stands after {:.1} s.\n", begun.elapsed().as_secs_f64());
    println!("{}", sheet(&place).context("the keeper wrote no sheet")?);
    Ok(())
}

/// Takes it down, also what a killed keeper left.
pub fn down() -> Result<()> {
    let place = Place::standing();
    let keeper = keeper()?;
    if let Some(keeper) = keeper {
        println!("asking the keeper (process {keeper}) to end");
        send(keeper, Signal::SIGTERM)?;
        if wait::until_true("end of the keeper", PATIENCE, || Ok(!is_kept()?)).is_err() {
            println!("killing it");
            send(keeper, Signal::SIGKILL)?;
            wait::until_true("end of the keeper", PATIENCE, || Ok(!is_kept()?))?;
        }
    }
    let was_there = place.is_there() || keeper.is_some();
    place.scrub();
    println!("{}", if was_there { "the cluster is gone" } else { "no cluster stands" });
    Ok(())
}

/// Sends a signal to the keeper. One that was killed a moment ago holds its lock a moment more, and
/// is no process any more.
fn send(keeper: Pid, signal: Signal) -> Result<()> {
    match kill(keeper, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).context("the keeper takes no signal"),
    }
}

/// Says what stands.
pub fn status() -> Result<bool> {
    let place = Place::standing();
    let Some(keeper) = keeper()? else {
        let left = place.is_there();
        let rest = if left { "; a killed one left traces: `cargo xtask cluster down`" } else { "" };
        println!("no cluster stands{rest}");
        return Ok(false);
    };
    if sheet(&place).is_none() {
        println!("the cluster is coming up or going down (process {keeper})");
        return Ok(false);
    }
    println!("the cluster stands (process {keeper})\n");
    let kubectl = place.run().join(BIN).join("kubectl");
    let ask = |arguments: &[&str]| command::output(&kubectl, arguments);
    print!("{}", ask(&["get", "nodes", "--output", "wide"])?);
    println!("\n{}", ask(&["get", "pods", "--all-namespaces", "--output", "wide"])?);
    Ok(true)
}

/// Keeps it, in the background, until a signal.
pub fn keep(nodes: u8, images: Vec<PathBuf>) -> Result<()> {
    let lock = lock()?.context("another process keeps a cluster")?;
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    // Before any thread is there, so that all of them leave these signals to this one.
    signals.thread_block()?;
    let place = Place::standing();
    lock.set_len(0)?;
    (&*lock).write_all(std::process::id().to_string().as_bytes())?;
    let settings = Settings { place: place.clone(), nodes, images };
    let cluster = Cluster::start(&settings, &|step| println!("{step}"))?;
    publish(&cluster)?;
    signals.wait()?;
    fs::remove_file(place.run().join(SHEET))?;
    drop(cluster);
    drop(lock);
    Ok(())
}

/// Shows what the keeper says, until the cluster stands.
fn follow(keeper: &mut Child, words: &Path, place: &Place) -> Result<()> {
    let mut words = File::open(words)?;
    let mut shown = 0;
    loop {
        let ended = keeper.try_wait()?;
        let mut news = String::new();
        words.seek(SeekFrom::Start(shown))?;
        shown += words.read_to_string(&mut news)? as u64;
        news.lines().for_each(|line| println!("  {line}"));
        io::stdout().flush()?;
        if let Some(ended) = ended {
            bail!("the cluster does not come up ({ended})");
        }
        if sheet(place).is_some() {
            return Ok(());
        }
        // Whatever comes first is looked at soon.
        let _either = wait::until_true("news", Duration::from_millis(100), || Ok(false));
    }
}

/// Writes commands to use it by, and last of all the sheet that says how.
fn publish(cluster: &Cluster) -> Result<()> {
    let place = cluster.place();
    let bin = place.run().join(BIN);
    fs::create_dir_all(&bin)?;
    let kubeconfig = place.run().join("kubeconfig");
    fs::copy(cluster.kubeconfig(), &kubeconfig)?;
    let kube = cluster.plane().program()?;
    let kubectl = format!(
        "exec env KUBECONFIG=\"${{KUBECONFIG:-{}}}\" {} kubectl \"$@\"",
        kubeconfig.display(),
        kube.display()
    );
    write_script(&bin.join("kubectl"), &kubectl)?;
    for node in cluster.nodes() {
        let enter = node.enter().join(" ");
        write_script(&bin.join(node.name()), &format!("exec {enter} \"$@\""))?;
    }
    if let Ok(waypointctl) = command::product("waypointctl") {
        std::os::unix::fs::symlink(waypointctl, bin.join("waypointctl"))?;
    }
    let text = cheat_sheet(place, cluster.nodes().len());
    fs::write(place.run().join(SHEET), text).context("write the sheet")
}

fn cheat_sheet(place: &Place, nodes: usize) -> String {
    let (bin, run, disk) = (place.run().join(BIN), place.run(), place.disk());
    let (bin, run, disk) = (bin.display(), run.display(), disk.display());
    let first = node::name(1);
    format!(
        "\
In your shell:
  export KUBECONFIG={run}/kubeconfig PATH={bin}:$PATH

  kubectl get nodes                          the {nodes} nodes
  kubectl apply -k deploy                    install Waypoint (from the repository's root)
  kubectl apply -f deploy/examples/cluster   a shop: web and guest call catalog, reviews, ratings
  kubectl -n shop exec deploy/web -- curl -s http://reviews/
  waypointctl apply -n shop --enroll-namespace --wait
  {first} COMMAND                             run a command on a node
  less {disk}/{first}/log/kubelet.log         what a node's programs say
  cargo xtask cluster down                   remove all of it"
    )
}

/// The sheet of a cluster that stands.
fn sheet(place: &Place) -> Option<String> {
    is_kept().ok().filter(|kept| *kept)?;
    fs::read_to_string(place.run().join(SHEET)).ok()
}

/// The process that keeps the cluster.
fn keeper() -> Result<Option<Pid>> {
    if !is_kept()? {
        return Ok(None);
    }
    let id = fs::read_to_string(Path::new(LOCKS).join(LOCK))?;
    Ok(Some(Pid::from_raw(id.trim().parse().context("the keeper's id")?)))
}

fn is_kept() -> Result<bool> {
    Ok(lock()?.is_none())
}

/// The keeper's lock; nothing if somebody has it.
fn lock() -> Result<Option<Flock<File>>> {
    fs::create_dir_all(LOCKS)?;
    let mut options = OpenOptions::new();
    let path = Path::new(LOCKS).join(LOCK);
    let file = options.create(true).truncate(false).write(true).open(&path)?;
    Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
}

/// The folder of the lab's locks.
const LOCKS: &str = "/run/waypoint-lab";
const LOCK: &str = "lock.cluster";
const WORDS: &str = "cluster.out";
const COMPLAINTS: &str = "cluster.err";
const SHEET: &str = "sheet";
const BIN: &str = "bin";
/// For the end of all pods and the removal of what they were made of.
const PATIENCE: Duration = Duration::from_mins(1);
