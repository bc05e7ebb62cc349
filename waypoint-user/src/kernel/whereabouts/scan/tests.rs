//! Looks at directories that are laid out as `/proc` is, and at the real one.

use super::*;

const WEB: &str = "9d5cbe8f-1f0c-4a53-9c3f-0c9a3a6d7e21";
const SHOP: &str = "00000000-0000-4000-8000-000000000001";

/// A directory in the place of `/proc`; the files of namespaces are ordinary ones.
struct Proc(PathBuf);

impl Proc {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("waypoint-proc-{name}-{}", std::process::id()));
        let _left = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("thread-self/ns")).unwrap();
        fs::create_dir_all(path.join("sys")).unwrap();
        fs::write(path.join("uptime"), "1 1\n").unwrap();
        for netns in ["host", "web", "shop", "inner"] {
            fs::write(path.join(netns), "").unwrap();
        }
        fs::hard_link(path.join("host"), path.join("thread-self/ns/net")).unwrap();
        Self(path)
    }

    /// A process in a control group and in a namespace.
    fn process(&self, pid: u32, began: u64, group: &str, netns: &str) {
        let place = self.0.join(pid.to_string());
        fs::create_dir_all(place.join("ns")).unwrap();
        fs::write(place.join("cgroup"), format!("0::{group}\n")).unwrap();
        let stat =
            format!("{pid} (a) b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 {began} 0");
        fs::write(place.join("stat"), stat).unwrap();
        fs::hard_link(self.0.join(netns), place.join("ns/net")).unwrap();
    }

    fn inode_of(&self, netns: &str) -> u64 {
        inode(&self.0.join(netns)).unwrap()
    }

    fn look(&self, wanted: &[&str]) -> Sighting {
        look(&self.0, &wanted.iter().map(|uid| Arc::from(*uid)).collect())
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_oldest_process_of_each_namespace_is_the_spot() {
    let proc = Proc::new("oldest");
    let group = format!("/kubepods/pod{WEB}/a");
    proc.process(41, 900, &group, "inner");
    proc.process(42, 700, &group, "web");
    proc.process(7, 800, &group, "web");
    let sighting = proc.look(&[WEB]);
    let spot = |pid, netns, began| Spot { pid, netns: proc.inode_of(netns), began };
    assert_eq!(sighting.spots[WEB], [spot(42, "web", 700), spot(41, "inner", 900)]);
    assert!(!sighting.cut);
}

#[test]
fn processes_of_other_pods_and_those_in_the_network_of_the_node_are_left_out() {
    let proc = Proc::new("others");
    proc.process(2, 1, "/kubepods/kubelet", "web");
    // A monitor of the runtime, older than the pod.
    proc.process(3, 2, &format!("/kubepods/pod{WEB}/crio-conmon-a.scope"), "host");
    proc.process(4, 3, &format!("/kubepods/pod{SHOP}/a"), "shop");
    assert!(proc.look(&[WEB]).spots.is_empty());
    let both = proc.look(&[WEB, SHOP]);
    assert_eq!(both.spots.keys().map(|uid| &**uid).collect::<Vec<_>>(), [SHOP]);
}

#[test]
fn a_process_that_ends_while_it_is_looked_at_is_left_out() {
    let proc = Proc::new("ended");
    let group = format!("/kubepods/pod{WEB}/a");
    for (pid, gone) in [(2, "stat"), (3, "ns/net"), (4, "cgroup")] {
        proc.process(pid, 1, &group, "web");
        fs::remove_file(proc.0.join(pid.to_string()).join(gone)).unwrap();
    }
    assert!(proc.look(&[WEB]).spots.is_empty());
    assert!(look(&proc.0.join("nowhere"), &HashSet::from([Arc::from(WEB)])).spots.is_empty());
}

#[test]
fn what_the_kernel_itself_writes_is_understood() {
    let own = Path::new("/proc/self");
    assert!(began(&read(&own.join("stat")).unwrap()).unwrap() > 0);
    assert!(read(&own.join("cgroup")).is_some());
    assert!(inode(&netns_of(Path::new("/proc"), std::process::id())).is_some());
}
