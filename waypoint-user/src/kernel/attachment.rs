//! Keeps a program on an interface, ahead of every other.
//!
//! It does not know which interfaces should have one.
//!
//! **Invariant:** an interface that has the program is never without it: a second instance is at
//! the head before the first is let go.

use std::{fs, io, path::Path, time::Duration};

use aya::programs::{
    LinkOrder, ProgramError, SchedClassifier, TcAttachType,
    links::{FdLink, LinkError, PinnedLink},
    tc::{SchedClassifierLinkId, TcAttachOptions},
};
use nix::libc::EEXIST;

use super::{Error, instances::Instances, pins};

/// What was found on an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// The program, ahead of every other.
    AtHead,
    /// Not the program; it is there now.
    Absent,
    /// The program, behind another; it is ahead now.
    Behind,
}

/// Makes sure that the program runs first on its hook of the interface, by a link pinned at `pin`.
pub(super) async fn ensure_at_head(
    instances: &mut Instances,
    interface: &str,
    pin: &Path,
) -> Result<Found, Error> {
    let own = program_of(pin)?;
    let hook = instances.hook();
    let attached = programs_on(interface, hook)?;
    let found = match own.and_then(|own| attached.iter().position(|id| *id == own)) {
        Some(0) => return Ok(Found::AtHead),
        Some(_) => Found::Behind,
        None => Found::Absent,
    };
    let fresh = pins::fresh(pin);
    pins::remove(&fresh)?;
    let failed = Error::program(interface);
    let program = instances.beside(&attached)?;
    let id = attach(program, interface, hook).await.map_err(&failed)?;
    let link = program.take_link(id).map_err(&failed)?;
    let link = FdLink::try_from(link).map_err(refused(pin))?;
    link.pin(&fresh).map_err(|source| Error::Pin { path: fresh.clone(), source })?;
    // With its pin goes the former link.
    fs::rename(&fresh, pin).map_err(Error::file(pin))?;
    Ok(found)
}

/// Takes the program off the interface, if it is there.
pub(super) fn detach(pin: &Path) -> Result<(), Error> {
    if !pin.exists() {
        return Ok(());
    }
    let link = PinnedLink::from_pin(pin).map_err(refused(pin))?;
    link.unpin().map(drop).map_err(Error::file(pin))
}

/// The program of a pinned link.
fn program_of(pin: &Path) -> Result<Option<u32>, Error> {
    if !pin.exists() {
        return Ok(None);
    }
    let link = FdLink::from(PinnedLink::from_pin(pin).map_err(refused(pin))?);
    link.info().map(|info| Some(info.program_id())).map_err(refused(pin))
}

/// The programs on a hook of an interface, in the order in which they run.
fn programs_on(interface: &str, hook: TcAttachType) -> Result<Vec<u32>, Error> {
    let answer = SchedClassifier::query_tcx(interface, hook);
    let (_, programs) = answer.map_err(Error::program(interface))?;
    Ok(programs.iter().map(aya::programs::ProgramInfo::id).collect())
}

/// Attaches ahead of every other program. The kernel lets go of a former link of the same program
/// only a moment after its pin is gone; until then it knows the program already.
async fn attach(
    program: &mut SchedClassifier,
    interface: &str,
    hook: TcAttachType,
) -> Result<SchedClassifierLinkId, ProgramError> {
    let mut attempt = 1;
    loop {
        let order = TcAttachOptions::TcxOrder(LinkOrder::first());
        match program.attach_with_options(interface, hook, order) {
            Err(error) if attempt < ATTEMPTS && is_known(&error) => attempt += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_known(error: &ProgramError) -> bool {
    let ProgramError::SyscallError(error) = error else { return false };
    error.io_error.raw_os_error() == io::Error::from_raw_os_error(EEXIST).raw_os_error()
}

fn refused(pin: &Path) -> impl FnOnce(LinkError) -> Error {
    move |source| Error::Link { path: pin.to_owned(), source }
}

const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);
