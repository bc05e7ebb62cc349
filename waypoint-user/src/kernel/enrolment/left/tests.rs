//! Unit tests of pods that an earlier process enrolled.

use std::net::Ipv4Addr;

use super::*;

const OWN: [u8; 4] = [10, 0, 0, 7];

fn record(slot: u16, v4: [u8; 4]) -> PodOfInterface {
    let flags = pod_flag::CLIENT | pod_flag::ANTI_SPOOF;
    PodOfInterface { pod_id: slot.into(), flags, v4, v6: [0; 16], slot, pad: 0 }
}

fn maps() -> (HashMap<u32, PodOfInterface>, HashMap<Addr, InterfaceOfPod>) {
    let pods = [(3, record(7, OWN)), (4, record(PROBE_SLOT, [192, 0, 2, 2]))];
    let flags = pod_flag::CLIENT | pod_flag::INBOUND;
    let interface = |ifindex, pod_id| InterfaceOfPod { ifindex, pod_id, flags, head: [0; 3] };
    let interfaces = [
        (Addr::v4(OWN), interface(3, 7)),
        (Addr::v4([192, 0, 2, 2]), interface(4, PROBE_SLOT.into())),
    ];
    (pods.into(), interfaces.into())
}

#[test]
fn every_pod_but_the_probe_is_found_with_its_addresses() {
    let (pods, interfaces) = maps();
    let left = Left::read(&pods, &interfaces);
    let found: Vec<_> = left.iter().map(|pod| (pod.ifindex(), pod.slot())).collect();
    assert_eq!(found, [(3, 7)]);
    let addresses: Vec<IpAddr> = left[0].addresses().collect();
    assert_eq!(addresses, [IpAddr::from(Ipv4Addr::from(OWN))]);
}

#[test]
fn it_is_the_same_pod_only_on_the_same_interface_with_the_same_addresses() {
    let (pods, interfaces) = maps();
    let left = Left::read(&pods, &interfaces);
    // Its number is what is looked for, so it does not matter.
    assert!(left[0].is(3, &record(0, OWN)));
    assert!(!left[0].is(5, &record(0, OWN)));
    assert!(!left[0].is(3, &record(0, [10, 0, 0, 8])));
}

#[test]
fn it_keeps_its_number_and_opens_nothing_more() {
    let (pods, interfaces) = maps();
    let mut tables = Tables::default();
    for pod in Left::read(&pods, &interfaces) {
        pod.add_to(&mut tables);
    }
    let flags = pod_flag::ANTI_SPOOF;
    assert_eq!(tables.pods, HashMap::from([(3, PodOfInterface { flags, ..record(7, OWN) })]));
    let interface = tables.interfaces[&Addr::v4(OWN)];
    assert_eq!((interface.ifindex, interface.pod_id, interface.flags), (3, 7, flags));
}
