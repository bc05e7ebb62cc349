//! What `waypointctl` prints of a real API server: every case under `tests/data/cli/cluster` is a
//! directory of objects and of commands.
//!
//! `input.yaml` is applied first, then `status.yaml` if there is one, as a controller would. Each
//! line of `args` is what is typed after `waypointctl`; `expect.txt` is all that is shown then.
//! Cases name their own namespaces, and run one after the other, so that `-A` shows one case only.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use waypoint_tests::{
    golden::{Golden, cases, directories, transcript},
    kube::ControlPlane,
};

#[test]
fn every_command_prints_what_every_case_expects() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let kubeconfig = plane.kubeconfig().to_str().context("a path that is no text")?;
    let mut golden = Golden::kept_in(env!("CARGO_TARGET_TMPDIR"));
    let found = directories(&cases().join("cli/cluster"))?;
    ensure!(found.len() > 5, "only {} cases found", found.len());
    for case in found {
        prepare(plane, &case).with_context(|| case.display().to_string())?;
        let shown = transcript(&case, &["--kubeconfig", kubeconfig])?;
        golden.compare(&case, "expect.txt", &shown)?;
        plane.kubectl(&["delete", "gateways", "--all", "--all-namespaces"])?;
        plane.kubectl(&["delete", "gatewayclasses", "--all"])?;
    }
    golden.holds()
}

/// Makes the objects of a case.
fn prepare(plane: &ControlPlane, case: &Path) -> Result<()> {
    plane.apply(&fs::read_to_string(case.join("input.yaml"))?)?;
    let status = case.join("status.yaml");
    if status.exists() {
        plane.apply_status(&fs::read_to_string(status)?)?;
    }
    Ok(())
}
