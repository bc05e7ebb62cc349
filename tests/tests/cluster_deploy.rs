//! What `deploy/` installs: how it is rendered, what schemas and a real API server say of it, and
//! what each account may do and may not.

use std::{collections::BTreeSet, fs, path::Path, sync::OnceLock};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Map, Value};
use waypoint_tests::{kube::ControlPlane, lab::command, python};

#[path = "cluster_deploy/controller.rs"]
mod controller;
#[path = "cluster_deploy/marks.rs"]
mod marks;
#[path = "cluster_deploy/rights.rs"]
mod rights;

/// Namespace, and accounts in it.
const NAMESPACE: &str = "waypoint-system";
const AGENT: &str = "waypoint-agent";
const CONTROLLER: &str = "waypoint-controller";

/// The control plane that all tests share, with everything installed as README says.
fn installed() -> Result<&'static ControlPlane> {
    static INSTALLED: OnceLock<Result<&ControlPlane>> = OnceLock::new();
    let install = || {
        let plane = ControlPlane::shared()?;
        plane.kubectl(&["apply", "-k", &folder("")])?;
        Ok(plane)
    };
    INSTALLED.get_or_init(install).as_ref().copied().map_err(|error| anyhow!("{error:#}"))
}

/// A folder below `deploy`.
fn folder(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name).display().to_string()
}

/// What is rendered from a folder.
fn rendered(name: &str) -> Result<String> {
    ControlPlane::shared()?.kubectl(&["kustomize", &folder(name)])
}

/// What can be installed, and what takes it away again.
const FOLDERS: [&str; 5] = ["", "overlays/istio", "overlays/dev", "overlays/revision", "uninstall"];

#[test]
fn manifests_are_rendered_as_expected() -> Result<()> {
    let base = rendered("")?;
    let mut differing = Vec::new();
    differing.extend(compare("base.yaml", &base)?);
    for overlay in ["istio", "dev"] {
        let changes = changes(&base, &rendered(&format!("overlays/{overlay}"))?);
        differing.extend(compare(&format!("{overlay}.diff"), &changes)?);
    }
    differing.extend(compare("revision.yaml", &rendered("overlays/revision")?)?);
    differing.extend(compare("uninstall.yaml", &rendered("uninstall")?)?);
    ensure!(differing.is_empty(), "these differ:\n{}", differing.join("\n"));
    Ok(())
}

/// Lines that only one of two texts has.
fn changes(before: &str, after: &str) -> String {
    let [old, new] = [before, after].map(|text| text.lines().collect::<BTreeSet<_>>());
    let gone = before.lines().filter(|line| !new.contains(line)).map(|line| format!("-{line}\n"));
    let come = after.lines().filter(|line| !old.contains(line)).map(|line| format!("+{line}\n"));
    gone.chain(come).collect()
}

/// Compares with the expectation; where it differs, says how to accept what came out.
fn compare(file: &str, got: &str) -> Result<Option<String>> {
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/deploy").join(file);
    if fs::read_to_string(&expected).is_ok_and(|text| text == got) {
        return Ok(None);
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden/deploy");
    fs::create_dir_all(&kept)?;
    fs::write(kept.join(file), got)?;
    Ok(Some(format!("cp {} {}", kept.join(file).display(), expected.display())))
}

#[test]
fn schemas_of_kubernetes_accept_every_manifest() -> Result<()> {
    let program = python::kubernetes_validate()?;
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rendered");
    fs::create_dir_all(&place)?;
    for name in FOLDERS {
        let (text, file) =
            (rendered(name)?, place.join(format!("{}.yaml", name.replace('/', "-"))));
        fs::write(&file, &text)?;
        let arguments = ["--strict", "-k", KUBERNETES, &file.display().to_string()];
        let said = command::output(&program, &arguments)?;
        let passed = said.lines().filter(|line| line.contains("passed for resource")).count();
        let objects = text.split("\n---\n").count();
        ensure!(passed == objects, "{passed} of {objects} objects of {name:?} passed: {said}");
    }
    Ok(())
}

#[test]
fn a_real_api_server_takes_every_manifest() -> Result<()> {
    let plane = installed()?;
    let apply = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-k"];
    for name in FOLDERS {
        plane.kubectl(&[&apply[..], &[&folder(name)]].concat()).with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// The objects that are rendered from a folder.
fn objects(name: &str) -> Result<Vec<Value>> {
    let apply = ["apply", "--dry-run=client", "--output=json", "-k", &folder(name)];
    let list: Value = serde_json::from_str(&ControlPlane::shared()?.kubectl(&apply)?)?;
    let items = list.get("items").and_then(Value::as_array);
    Ok(items.context("no objects")?.clone())
}

#[test]
fn no_pod_is_guarded_by_two_disruption_budgets() -> Result<()> {
    // Of such a pod the API server says that it cannot be evicted.
    let all = [objects("")?, objects("overlays/revision")?].concat();
    let of_kind = |kind, path| {
        let found = all.iter().filter(move |one| one["kind"] == kind);
        found.filter_map(move |one| one.pointer(path)?.as_object())
    };
    let pods: Vec<_> = of_kind("Deployment", "/spec/template/metadata/labels").collect();
    ensure!(pods.len() == 2, "{pods:?}");
    for pod in pods {
        let matches = |wanted: &&Map<String, Value>| {
            wanted.iter().all(|(key, value)| pod.get(key) == Some(value))
        };
        let budgets = of_kind("PodDisruptionBudget", "/spec/selector/matchLabels");
        let count = budgets.filter(matches).count();
        ensure!(count == 1, "{count} budgets match {pod:?}");
    }
    Ok(())
}

#[test]
fn applying_again_changes_nothing() -> Result<()> {
    let plane = installed()?;
    let path = "jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} \
                {.metadata.generation}{'\\n'}{end}";
    let look = || plane.kubectl(&["get", "-k", &folder(""), "--output", path]);
    let before = look()?;
    plane.kubectl(&["apply", "-k", &folder("")])?;
    let after = look()?;
    ensure!(before.lines().count() > 20, "{before}");
    ensure!(before == after, "{}", changes(&before, &after));
    Ok(())
}

#[test]
fn a_validating_policy_is_understood_by_the_api_server() -> Result<()> {
    let plane = installed()?;
    let path = "jsonpath={.status.typeChecking.expressionWarnings}";
    let warnings = plane.kubectl(&["get", "validatingadmissionpolicy", AGENT, "--output", path])?;
    ensure!(warnings.is_empty(), "{warnings}");
    Ok(())
}

#[test]
fn containers_are_given_arguments_that_the_daemon_knows() -> Result<()> {
    let daemon = command::product("waypointd")?;
    let text = [rendered("")?, rendered("uninstall")?].concat();
    let mut help = String::new();
    let mut count = 0;
    for word in text.lines().filter_map(|line| line.trim_start().strip_prefix("- ")) {
        if ["agent", "controller", "init", "cleanup", "rest"].contains(&word) {
            help = command::output(&daemon, &[word, "--help"])?;
            ensure!(help.contains("Usage: waypointd"), "waypointd {word}: {help}");
        } else if word.starts_with("--") {
            let flag = word.split('=').next().unwrap_or_default();
            ensure!(help.contains(&format!("{flag} ")), "{flag} is not in: {help}");
            count += 1;
        }
    }
    ensure!(count > 15, "only {count} arguments were looked at");
    Ok(())
}

/// Whose schemas: those of the API server that tests use.
const KUBERNETES: &str = "1.36";
