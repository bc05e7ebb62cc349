//! The programs in the kernel: re-used when they are this build's, else replaced without a gap.
//!
//! A pinned link keeps its place on its hook while its program is exchanged, so packets meet either
//! the old program or the new one, never none.
//!
//! **Invariant:** new programs are loaded and accepted by the verifier before an old one is
//! touched.

use std::{fs, path::Path};

use aya::programs::{
    SchedClassifier, SkLookup,
    links::{FdLink, LinkError, PinnedLink},
    tc::SchedClassifierLink,
};
use waypoint_common::program;

use super::{
    Error,
    instances::Instances,
    netns::Netns,
    object,
    pins::{self, Pins},
};

/// The agent's own programs, as they are pinned.
#[derive(Debug)]
pub(super) struct Programs {
    /// On the agent's interface.
    pub(super) from_agent: Instances,
    /// In the agent's namespace.
    pub(super) steer: SkLookup,
}

impl Programs {
    /// Opens the pinned programs if they are those of this fingerprint, else puts this build's in
    /// their place. Says whether it did.
    pub(super) fn ensure(pins: &Pins, pinned: Option<u64>) -> Result<(Self, bool), Error> {
        if pinned == Some(object::fingerprint())
            && let Ok(programs) = Self::open(pins)
            && of_pods(pins).is_ok()
        {
            return Ok((programs, false));
        }
        load(pins)?;
        let mut programs = Self::open(pins)?;
        programs.take_over(pins)?;
        Ok((programs, true))
    }

    fn open(pins: &Pins) -> Result<Self, Error> {
        let steer = SkLookup::from_pin(pins.program(program::STEER));
        Ok(Self {
            from_agent: instances(pins, program::FROM_AGENT)?,
            steer: steer.map_err(Error::program(program::STEER))?,
        })
    }

    /// Puts the programs into the links that an earlier build made.
    fn take_over(&mut self, pins: &Pins) -> Result<(), Error> {
        for mut program in of_pods(pins)? {
            let name = program.name();
            for ifindex in pins.pod_links(name)? {
                replace(program.pinned(), &pins.pod_link(name, ifindex))?;
            }
        }
        replace(self.from_agent.pinned(), &pins.link(program::FROM_AGENT))
    }

    /// Attaches `steer` to the agent's namespace. A namespace may have several such programs: the
    /// new one is there before the old one goes.
    pub(super) fn attach_steer(&mut self, pins: &Pins, netns: &Netns) -> Result<(), Error> {
        let failed = Error::program(program::STEER);
        let id = self.steer.attach(netns).map_err(&failed)?;
        let link: FdLink = self.steer.take_link(id).map_err(&failed)?.into();
        let (path, fresh) = (pins.link(program::STEER), pins::fresh(&pins.link(program::STEER)));
        pins::remove(&fresh)?;
        link.pin(&fresh).map_err(|source| Error::Pin { path: fresh.clone(), source })?;
        fs::rename(&fresh, &path).map_err(Error::file(path))
    }
}

/// The pinned programs of pods' interfaces: on what a pod sends, and on what it is sent.
pub(super) fn of_pods(pins: &Pins) -> Result<[Instances; 2], Error> {
    Ok([instances(pins, program::FROM_POD)?, instances(pins, program::TO_POD)?])
}

fn instances(pins: &Pins, name: &'static str) -> Result<Instances, Error> {
    let pinned = SchedClassifier::from_pin(pins.program(name)).map_err(Error::program(name))?;
    Ok(Instances::new(pins.clone(), name, pinned))
}

/// Loads this build's programs and pins them in the place of those that are there.
fn load(pins: &Pins) -> Result<(), Error> {
    let mut object = object::load(pins)?;
    for name in CLASSIFIERS {
        let program = object.program_mut(name).ok_or(Error::Object("classifiers"))?;
        let program: &mut SchedClassifier = program.try_into().map_err(Error::program(name))?;
        program.load().map_err(Error::program(name))?;
    }
    let steer = object.program_mut(program::STEER).ok_or(Error::Object("sk_lookup program"))?;
    let steer: &mut SkLookup = steer.try_into().map_err(Error::program(program::STEER))?;
    steer.load().map_err(Error::program(program::STEER))?;
    for name in CLASSIFIERS.into_iter().chain([program::STEER]) {
        let path = pins.program(name);
        pins::remove(&path)?;
        let program = object.program_mut(name).ok_or(Error::Object("program"))?;
        program.pin(&path).map_err(|source| Error::Pin { path, source })?;
    }
    Ok(())
}

/// Exchanges the program of a pinned link. A link whose interface is gone cannot be exchanged; it
/// goes.
fn replace(program: &mut SchedClassifier, path: &Path) -> Result<(), Error> {
    if !path.exists() {
        return Ok(());
    }
    let failed = |source: LinkError| Error::Link { path: path.to_owned(), source };
    let link: FdLink = PinnedLink::from_pin(path).map_err(failed)?.into();
    let link = SchedClassifierLink::try_from(link).map_err(failed)?;
    match program.attach_to_link(link) {
        Ok(id) => program.take_link(id).map(drop).map_err(Error::program(LINK)),
        Err(cause) => {
            tracing::debug!(pin = %path.display(), %cause, "link without an interface removed");
            pins::remove(path).map(drop)
        }
    }
}

const CLASSIFIERS: [&str; 3] = [program::FROM_POD, program::TO_POD, program::FROM_AGENT];
const LINK: &str = "of a pinned link";
