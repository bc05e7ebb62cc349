//! What others do on the hooks that the data path uses.

use std::path::Path;

use aya::{
    Ebpf,
    programs::{LinkOrder, SchedClassifier, TcAttachType, tc::TcAttachOptions},
};
use waypoint_common::program;

/// Programs on what an interface receives, in their order.
pub(crate) fn programs_on(interface: &str) -> Vec<u32> {
    let (_, programs) =
        SchedClassifier::query_tcx(interface, TcAttachType::Ingress).expect("an interface");
    programs.iter().map(aya::programs::ProgramInfo::id).collect()
}

/// Attaches a program ahead of all others that passes everything on; it goes with the returned
/// value.
pub(crate) fn attach_ahead(interface: &str) -> Ebpf {
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ebpf/waypoint.o");
    let mut foreign = Ebpf::load_file(object).expect("the object");
    let program = foreign.program_mut(program::FROM_POD).expect("a program");
    let program: &mut SchedClassifier = program.try_into().expect("a classifier");
    program.load().expect("a program");
    let order = TcAttachOptions::TcxOrder(LinkOrder::first());
    program.attach_with_options(interface, TcAttachType::Ingress, order).expect("a link");
    foreign
}
