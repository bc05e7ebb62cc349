//! Keeps a program on an interface, ahead of every other.
//!
//! It does not know which interfaces should have one.

use std::{io, path::Path, time::Duration};

use aya::programs::{
    LinkOrder, ProgramError, SchedClassifier, TcAttachType,
    links::{FdLink, PinnedLink},
    tc::{SchedClassifierLinkId, TcAttachOptions},
};
use nix::libc::EEXIST;

use super::Error;

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

/// Makes sure that the program runs first on what the interface receives, by a link pinned at
/// `pin`.
pub(super) async fn ensure_at_head(
    program: &mut SchedClassifier,
    interface: &str,
    pin: &Path,
) -> Result<Found, Error> {
    let failed = Error::program(interface);
    let found = look(program, interface).map_err(&failed)?;
    if found == Found::AtHead && pin.exists() {
        return Ok(found);
    }
    detach(pin)?;
    let id = attach(program, interface).await.map_err(&failed)?;
    let link = program.take_link(id).map_err(&failed)?;
    let link =
        FdLink::try_from(link).map_err(|source| Error::Link { path: pin.to_owned(), source })?;
    link.pin(pin).map_err(|source| Error::Pin { path: pin.to_owned(), source })?;
    Ok(if found == Found::Behind { found } else { Found::Absent })
}

/// Takes the program off the interface, if it is there.
pub(super) fn detach(pin: &Path) -> Result<(), Error> {
    if !pin.exists() {
        return Ok(());
    }
    let link =
        PinnedLink::from_pin(pin).map_err(|source| Error::Link { path: pin.to_owned(), source })?;
    link.unpin().map(drop).map_err(Error::file(pin))
}

fn look(program: &SchedClassifier, interface: &str) -> Result<Found, ProgramError> {
    let own = program.info()?.id();
    let (_, programs) = SchedClassifier::query_tcx(interface, TcAttachType::Ingress)?;
    Ok(match programs.iter().position(|program| program.id() == own) {
        Some(0) => Found::AtHead,
        Some(_) => Found::Behind,
        None => Found::Absent,
    })
}

/// Attaches ahead of every other program. The kernel lets go of a former link of the same program
/// only a moment after its pin is gone; until then it knows the program already.
async fn attach(
    program: &mut SchedClassifier,
    interface: &str,
) -> Result<SchedClassifierLinkId, ProgramError> {
    let mut attempt = 1;
    loop {
        let order = TcAttachOptions::TcxOrder(LinkOrder::first());
        match program.attach_with_options(interface, TcAttachType::Ingress, order) {
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

const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);
