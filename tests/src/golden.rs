//! Expectations as files: what a test printed is compared with a file that lies beside its input.
//!
//! Nothing is accepted here. Where something differs, what came out is kept, and the test says how
//! to look at the difference and how to accept it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::ctl::{Said, waypointctl};

/// Where all cases are.
pub fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// The directories in a directory, by name.
pub fn directories(parent: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(parent).with_context(|| parent.display().to_string())?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.is_dir());
    paths.sort();
    Ok(paths)
}

/// Compares what came out with what is expected.
#[derive(Clone, Debug)]
pub struct Golden {
    kept: PathBuf,
    differing: Vec<String>,
}

impl Golden {
    /// Keeps what differs below a directory, `env!("CARGO_TARGET_TMPDIR")` of a test.
    pub fn kept_in(directory: &str) -> Self {
        Self { kept: Path::new(directory).join("golden"), differing: Vec::new() }
    }

    /// Compares with a file of a case.
    pub fn compare(&mut self, case: &Path, file: &str, got: &str) -> Result<()> {
        let expected = case.join(file);
        if fs::read_to_string(&expected).is_ok_and(|text| text == got) {
            return Ok(());
        }
        let kept = self.kept.join(case.strip_prefix(cases())?);
        fs::create_dir_all(&kept)?;
        let kept = kept.join(file);
        fs::write(&kept, got)?;
        let (kept, expected) = (kept.display(), expected.display());
        self.differing
            .push(format!("diff {expected} {kept}\n  to accept it: cp {kept} {expected}"));
        Ok(())
    }

    /// Fails if anything differed.
    pub fn holds(self) -> Result<()> {
        let Self { differing, .. } = self;
        ensure!(differing.is_empty(), "these differ:\n{}", differing.join("\n"));
        Ok(())
    }
}

/// Runs the commands of a case, each a line of its `args`, and yields what a terminal would show of
/// all of them. Words that are not part of what is shown, as where the cluster is, are added to
/// each.
pub fn transcript(case: &Path, hidden: &[&str]) -> Result<String> {
    let file = case.join("args");
    let lines = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut shown = Vec::new();
    for line in lines.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let said: Said = waypointctl(&[&words[..], hidden].concat())?;
        shown.push(format!("$ waypointctl {line}\n{}", said.whole()));
    }
    Ok(shown.join("\n"))
}
