//! `waypointctl man`: manual pages, made of what `--help` says.

use std::{io, path::Path, path::PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::{Console, Error, Outcome};

/// Where the pages go.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Directory to write a page of each command into; without one, the first page is printed
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Writes the pages of a command.
pub(super) fn run(
    arguments: &Arguments,
    command: Command,
    console: &mut Console<'_>,
) -> Result<Outcome, Error> {
    if let Some(directory) = &arguments.directory {
        let written = write(command, directory);
        written.map_err(|cause| Error::Manual { directory: directory.clone(), cause })?;
    } else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        console.out.text(&String::from_utf8_lossy(&page))?;
    }
    Ok(Outcome::Good)
}

fn write(command: Command, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(command, directory)
}
