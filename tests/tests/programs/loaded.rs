//! The programs, loaded but attached nowhere, and one pod behind the interface that test runs come
//! from.

use std::{
    net::{IpAddr, TcpListener},
    path::Path,
};

use aya::{
    Ebpf, TestRun as _, TestRunOptions,
    maps::{Array, HashMap, PerCpuArray, SockMap},
    programs::{SchedClassifier, SkLookup, SockOps},
};
use waypoint_common::{
    addr::Addr,
    admission::{Rule, RuleKey, SourceKey},
    counter::{Count, Reason},
    map, program,
    redirect::{
        Config, Destination, DestinationKey, InterfaceOfPod, PodOfInterface, action, pod_flag,
    },
};

/// What a program did with a frame.
pub(crate) struct Outcome {
    /// What it returned.
    pub(crate) action: i32,
    /// The frame afterwards.
    pub(crate) frame: Vec<u8>,
    /// The packet mark afterwards.
    pub(crate) mark: u32,
    /// Reasons that it counted.
    pub(crate) reasons: Vec<Reason>,
}

/// The loaded programs and their maps.
pub(crate) struct Loaded {
    ebpf: Ebpf,
}

impl Loaded {
    /// Loads everything, and enrols the pod with [`POD_V4`] and [`POD_V6`].
    pub(crate) fn new() -> Self {
        let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ebpf/waypoint.o");
        let mut ebpf = Ebpf::load_file(object).expect("the object loads");
        for name in [program::FROM_POD, program::TO_POD, program::FROM_AGENT] {
            classifier(&mut ebpf, name).load().expect("the verifier accepts it");
        }
        let steer: &mut SkLookup =
            ebpf.program_mut(program::STEER).expect("steer").try_into().expect("sk_lookup");
        steer.load().expect("the verifier accepts it");
        let watch: &mut SockOps =
            ebpf.program_mut(program::WATCH).expect("watch").try_into().expect("sock_ops");
        watch.load().expect("the verifier accepts it");
        let mut loaded = Self { ebpf };
        loaded.configure(0);
        loaded.enrol(pod_flag::CLIENT | pod_flag::ANTI_SPOOF);
        loaded
    }

    /// How many instructions the verifier walked through, by program.
    pub(crate) fn verified_instructions(&self) -> Vec<(String, u32)> {
        let count = |(name, program): (&str, &aya::programs::Program)| {
            let count = program.info().expect("information").verified_instruction_count();
            (name.to_owned(), count.expect("a kernel that tells"))
        };
        self.ebpf.programs().map(count).collect()
    }

    /// Writes the configuration.
    pub(crate) fn configure(&mut self, flags: u32) {
        let config = Config {
            abi: waypoint_common::ABI,
            agent_if: LOOPBACK,
            agent_nsid: -1,
            flags,
            programs: 0,
            inner_if: 0,
            inner_address: INNER_ADDRESS,
            reserve: [0; 30],
        };
        let mut cfg: Array<_, Config> = self.map(map::CFG).try_into().expect("an array");
        cfg.set(0, config, 0).expect("set");
    }

    /// Enrols the pod, with these flags.
    pub(crate) fn enrol(&mut self, flags: u32) {
        let (IpAddr::V4(v4), IpAddr::V6(v6)) = (address(POD_V4), address(POD_V6)) else {
            panic!("one of each family");
        };
        let pod = PodOfInterface {
            pod_id: 1,
            flags,
            v4: v4.octets(),
            v6: v6.octets(),
            slot: SLOT,
            pad: 0,
        };
        let mut pods: HashMap<_, u32, PodOfInterface> =
            self.map(map::IF_POD).try_into().expect("a hash");
        pods.insert(LOOPBACK, pod, 0).expect("insert");
        let mut interfaces: HashMap<_, Addr, InterfaceOfPod> =
            self.map(map::POD_IF).try_into().expect("a hash");
        let interface = InterfaceOfPod { ifindex: LOOPBACK, pod_id: 1, flags, head: HEAD };
        for own in [POD_V4, POD_V6] {
            interfaces.insert(Addr::from(address(own)), interface, 0).expect("insert");
        }
    }

    /// Captures connections to a destination; port zero stands for every port.
    pub(crate) fn capture(&mut self, destination: &str, port: u16, flags: u8) {
        self.insert(destination, port, action::CAPTURE, flags);
    }

    /// Refuses connections to a destination.
    pub(crate) fn refuse(&mut self, destination: &str, port: u16) {
        self.insert(destination, port, action::REFUSE, 0);
    }

    /// Says that an address has a port that fails closed.
    pub(crate) fn guard(&mut self, destination: &str) {
        let key = DestinationKey::guard(Addr::from(address(destination)));
        self.insert_key(key, action::REFUSE, 0);
    }

    fn insert(&mut self, destination: &str, port: u16, action: u8, flags: u8) {
        let key = DestinationKey::tcp(Addr::from(address(destination)), port.to_be());
        self.insert_key(key, action, flags);
    }

    fn insert_key(&mut self, key: DestinationKey, action: u8, flags: u8) {
        let value = Destination {
            action,
            flags,
            waypoint_slot: 0,
            waypoint_id: 0,
            target_if: 0,
            reserve: 0,
        };
        let mut destinations: HashMap<_, DestinationKey, Destination> =
            self.map(map::WP_DST).try_into().expect("a hash");
        destinations.insert(key, value, 0).expect("insert");
    }

    /// Says who may connect to an address; the set of those who always may is [`SET`].
    pub(crate) fn admit(&mut self, address_of_pod: &str, port: u16, mode: u8, flags: u8) {
        let key = RuleKey::new(Addr::from(address(address_of_pod)), port.to_be());
        let mut rules: HashMap<_, RuleKey, Rule> = self.map(map::ADMIT).try_into().expect("a hash");
        rules.insert(key, Rule { mode, flags, pad: [0; 6], set: SET }, 0).expect("insert");
    }

    /// Puts an address into the set.
    pub(crate) fn let_in(&mut self, source: &str) {
        let key = SourceKey { set: SET, addr: Addr::from(address(source)) };
        let mut sources: HashMap<_, SourceKey, u32> =
            self.map(map::ADMIT_SRC).try_into().expect("a hash");
        sources.insert(key, 0, 0).expect("insert");
    }

    /// Listens in a slot for as long as the returned listener lives.
    pub(crate) fn listen(&mut self, slot: u32, any: &str) -> TcpListener {
        let listener = TcpListener::bind((any, 0)).expect("a free port");
        let mut slots: SockMap<_> = self.map(map::LSN).try_into().expect("a sockmap");
        slots.set(slot, &listener, 0).expect("set");
        listener
    }

    /// Runs a program on a frame.
    pub(crate) fn run(&mut self, name: &str, frame: &[u8]) -> Outcome {
        let before = self.counters();
        let (mut data_out, mut ctx_out) = (vec![0; frame.len() + 64], vec![0; SK_BUFF_BYTES]);
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut data_out),
            ctx_out: Some(&mut ctx_out),
            ..TestRunOptions::default()
        };
        let result = classifier(&mut self.ebpf, name).test_run(options).expect("a run");
        data_out.truncate(result.data_size_out as usize);
        let after = self.counters();
        let grown = |reason: &Reason| after[*reason as usize] > before[*reason as usize];
        Outcome {
            action: result.return_value.cast_signed(),
            frame: data_out,
            mark: u32::from_ne_bytes(ctx_out[8..12].try_into().expect("four bytes")),
            reasons: Reason::ALL.iter().copied().filter(grown).collect(),
        }
    }

    /// Packets by reason.
    fn counters(&mut self) -> Vec<u64> {
        let stats: PerCpuArray<_, Count> = self.map(map::STATS).try_into().expect("an array");
        let sum = |reason: &Reason| {
            let values = stats.get(&(*reason as u32), 0).expect("an element");
            values.iter().map(|count| count.packets).sum()
        };
        Reason::ALL.iter().map(sum).collect()
    }

    fn map(&mut self, name: &str) -> &mut aya::maps::Map {
        self.ebpf.map_mut(name).expect("the map")
    }
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut SchedClassifier {
    ebpf.program_mut(name).expect("the program").try_into().expect("a classifier")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) const POD_V4: &str = "10.1.0.2";
pub(crate) const POD_V6: &str = "fd00:1::2";
/// The one set of sources.
const SET: u64 = 7;
/// The pod's slot.
pub(crate) const SLOT: u16 = 7;
/// Test runs come from the loopback interface.
const LOOPBACK: u32 = 1;
const SK_BUFF_BYTES: usize = 192;
/// The hardware address of the agent's end of its veth.
pub(crate) const INNER_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 9];
/// Hardware addresses of frames that the pod sends: its gateway's, its own.
const HEAD: [u32; 3] = [
    u32::from_ne_bytes([2, 0, 0, 0]),
    u32::from_ne_bytes([0, 2, 2, 0]),
    u32::from_ne_bytes([0, 0, 0, 1]),
];
