//! What a machine needs before anything else works, and the installing of what it lacks.
//!
//! It installs Debian packages (as root), and the BPF linker by cargo; it never changes what is
//! already there.
//!
//! **Invariant:** with nothing missing it does nothing and says so in one line.

use anyhow::Result;

pub(crate) mod packages;
pub(crate) mod toolchain;

pub(crate) use toolchain::Toolchain;

use crate::shell::say;

/// Installs what is missing, and yields the compiler to use for the kernel side.
pub(crate) fn run() -> Result<Toolchain> {
    packages::ensure(&packages::missing_tools())?;
    let toolchain =
        if let Some(toolchain) = toolchain::find() { toolchain } else { toolchain::install()? };
    toolchain::ensure_linker()?;
    say(&format!("setup: complete (eBPF by {toolchain})"));
    Ok(toolchain)
}
