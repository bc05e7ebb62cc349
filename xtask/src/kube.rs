//! The control plane that the tests start: building it, once, from `tests/kube`.
//!
//! It knows nothing of how the program is used. Where `KUBEBUILDER_ASSETS` names a directory with
//! kube-apiserver, etcd and kubectl, nothing is built and those are used.
//!
//! **Invariant:** what is at its place is complete and made from the sources that the place is
//! named after.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{ask, root, say, target};

mod go;
mod progress;

use go::Go;

/// What the tests are told.
pub(crate) struct Kube {
    /// The file that lists the definitions.
    definitions: PathBuf,
    /// The program, unless others are used.
    program: Option<PathBuf>,
}

impl Kube {
    /// As variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let program = self.program.as_deref().map(|program| ("WAYPOINT_KUBE", program));
        program.into_iter().chain([("WAYPOINT_KUBE_CRDS", self.definitions.as_path())])
    }
}

/// Builds the program unless it is there, and writes down where the definitions are.
pub(crate) fn ensure() -> Result<Kube> {
    let sources = root().join(SOURCES);
    let place = target().join("kube").join(fingerprint(&sources)?);
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let definitions = place.join(DEFINITIONS);
    let given = env::var_os("KUBEBUILDER_ASSETS");
    let program = given.is_none().then(|| place.join(PROGRAM));
    if let Some(given) = given {
        say(&format!("kube: the programs of {} are used", given.display()));
    }
    if program.as_ref().is_some_and(|program| !program.is_file()) || !are_there(&definitions) {
        let go = Go::find_or_install(wanted(&sources)?)?;
        if let Some(program) = &program {
            build(&go, &sources, program)?;
        }
        write_definitions(&go, &sources, &definitions)?;
    }
    if let Some(program) = &program {
        say(&format!("kube: {}", program.display()));
    }
    Ok(Kube { definitions, program })
}

fn build(go: &Go, sources: &Path, program: &Path) -> Result<()> {
    if program.is_file() {
        return Ok(());
    }
    say("kube: building a Kubernetes control plane for the tests");
    eprintln!("  the longest step of a first run: about 7 minutes on two cores, then never again");
    let aside = program.with_extension(format!("{}", std::process::id()));
    let mut build = go.command(&["build", "-v", "-ldflags", FLAGS, "-o"]);
    progress::watch(build.arg(&aside).arg(".").current_dir(sources).env("CGO_ENABLED", "0"))?;
    fs::rename(&aside, program).with_context(|| program.display().to_string())
}

/// Asks Go where the modules are that bring the definitions.
fn write_definitions(go: &Go, sources: &Path, file: &Path) -> Result<()> {
    let mut lines = String::new();
    for (module, path) in MODULES {
        let mut fetch = go.command(&["mod", "download", module]);
        crate::shell::run(fetch.current_dir(sources))?;
        let mut list: Command = go.command(&["list", "-m", "-f", "{{.Dir}}", module]);
        let folder =
            ask(list.current_dir(sources)).with_context(|| format!("where is {module}?"))?;
        lines.extend([folder.as_str(), "/", path, "\n"]);
    }
    fs::write(file, lines).with_context(|| file.display().to_string())
}

/// Whether a list of definitions is there, and what it lists.
fn are_there(file: &Path) -> bool {
    let lines = fs::read_to_string(file).unwrap_or_default();
    !lines.is_empty() && lines.lines().all(|path| Path::new(path).exists())
}

/// The version of Go that the sources want.
fn wanted(sources: &Path) -> Result<go::Version> {
    let module = fs::read_to_string(sources.join("go.mod"))?;
    let line = module.lines().find_map(|line| line.strip_prefix("go "));
    line.and_then(go::Version::read).context("go.mod names no version of Go")
}

/// Of the names and bytes of everything that goes into the program; the same with every compiler.
fn fingerprint(sources: &Path) -> Result<String> {
    let mut files = Vec::new();
    for entry in sources.read_dir().with_context(|| sources.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_source = path.extension().is_some_and(|extension| extension == "go");
        if is_source || name == "go.mod" || name == "go.sum" {
            files.push((name, path));
        }
    }
    files.sort();
    let mut hash = FNV_OFFSET;
    for (name, path) in files {
        for byte in name.into_bytes().into_iter().chain(fs::read(path)?) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
    }
    Ok(format!("{hash:016x}"))
}

const SOURCES: &str = "tests/kube";
const PROGRAM: &str = "waypoint-kube";
/// Paths of definitions, or of directories of them, one a line.
const DEFINITIONS: &str = "crds";
/// Without a version the server calls itself v0.0.0, and refuses kubelets for being newer.
const FLAGS: &str = "-s -w \
    -X k8s.io/component-base/version.gitVersion=v1.36.2 \
    -X k8s.io/component-base/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=36";
/// The modules that bring definitions, and where in them.
const MODULES: &[(&str, &str)] = &[
    ("sigs.k8s.io/gateway-api", "config/crd/experimental"),
    ("istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"),
];
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

#[cfg(test)]
mod tests;
