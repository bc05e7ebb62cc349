//! The two instances of one program that take turns on an interface.
//!
//! The kernel lets a program be on a hook only once, so to be put ahead of others without a moment
//! off the hook it must be another program: the same code over the same maps, loaded again. The
//! first instance is the pinned one; the second is loaded when it is needed first, and lives on in
//! the links that were made with it.
//!
//! It attaches nothing itself.

use aya::{
    Ebpf,
    programs::{SchedClassifier, TcAttachType},
};
use waypoint_common::program;

use super::{Error, object, pins::Pins};

/// One program, as often as a hook needs it.
#[derive(Debug)]
pub(super) struct Instances {
    pins: Pins,
    name: &'static str,
    pinned: SchedClassifier,
    second: Option<Ebpf>,
}

impl Instances {
    /// The pinned instance of a program, and the other one in time.
    pub(super) fn new(pins: Pins, name: &'static str, pinned: SchedClassifier) -> Self {
        Self { pins, name, pinned, second: None }
    }

    /// The program's name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Where on an interface it belongs.
    pub(super) fn hook(&self) -> TcAttachType {
        match self.name {
            program::TO_POD => TcAttachType::Egress,
            _ => TcAttachType::Ingress,
        }
    }

    /// The pinned instance.
    pub(super) fn pinned(&mut self) -> &mut SchedClassifier {
        &mut self.pinned
    }

    /// An instance that is not among the programs of a hook.
    pub(super) fn beside(&mut self, attached: &[u32]) -> Result<&mut SchedClassifier, Error> {
        let pinned = self.pinned.info().map_err(Error::program(self.name))?.id();
        if attached.contains(&pinned) { self.second() } else { Ok(&mut self.pinned) }
    }

    fn second(&mut self) -> Result<&mut SchedClassifier, Error> {
        if self.second.is_none() {
            let mut object = object::load(&self.pins)?;
            classifier(&mut object, self.name)?.load().map_err(Error::program(self.name))?;
            self.second = Some(object);
        }
        let object = self.second.as_mut().ok_or(Error::Object(CLASSIFIER))?;
        classifier(object, self.name)
    }
}

fn classifier<'a>(object: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, Error> {
    let program = object.program_mut(name).ok_or(Error::Object(CLASSIFIER))?;
    program.try_into().map_err(Error::program(name))
}

const CLASSIFIER: &str = "classifier";
