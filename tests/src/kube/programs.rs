//! The programs of a control plane, and the definitions to install in it.
//!
//! The variable `WAYPOINT_KUBE` names the one program that `cargo xtask test` builds, in which the
//! first argument says which part to be. Where `KUBEBUILDER_ASSETS` names a directory, the programs
//! there are used instead, as controller-runtime's envtest does.

use std::{
    env,
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::lab::command;

/// Where the programs are.
#[derive(Clone, Debug)]
pub(super) enum Programs {
    /// All in one.
    One(PathBuf),
    /// Each with its own name, in a directory.
    Each(PathBuf),
}

/// A program and the arguments that make it the part it is to be.
#[derive(Clone, Debug)]
pub(super) struct Program(Vec<OsString>);

impl Programs {
    /// Those that the environment names, else the one that was built last.
    pub(super) fn find() -> Result<Self> {
        if let Some(directory) = env::var_os("KUBEBUILDER_ASSETS") {
            return Ok(Self::Each(directory.into()));
        }
        if let Some(program) = env::var_os("WAYPOINT_KUBE") {
            return Ok(Self::One(program.into()));
        }
        let built = command::target()?.join("kube");
        let folders = fs::read_dir(&built).into_iter().flatten().flatten();
        let programs = folders.map(|folder| folder.path().join(PROGRAM));
        let newest =
            programs.max_by_key(|program| program.metadata().and_then(|is| is.modified()).ok());
        match newest {
            Some(program) if program.is_file() => Ok(Self::One(program)),
            _ => bail!("no {PROGRAM} below {}: run `cargo xtask kube`", built.display()),
        }
    }

    /// One of them.
    pub(super) fn part(&self, name: &str) -> Result<Program> {
        let words = match self {
            Self::One(program) => vec![program.into(), name.into()],
            Self::Each(directory) => vec![directory.join(name).into()],
        };
        let program = words.first().map(PathBuf::from).unwrap_or_default();
        ensure!(program.is_file(), "{} is missing", program.display());
        Ok(Program(words))
    }

    /// etcd, with its configuration file.
    pub(super) fn etcd(&self, configuration: &Path) -> Result<(Program, Vec<String>)> {
        let file = configuration.display().to_string();
        let arguments = match self {
            Self::One(_) => vec![file],
            Self::Each(_) => vec!["--config-file".to_owned(), file],
        };
        Ok((self.part("etcd")?, arguments))
    }

    /// The files with the definitions: as `cargo xtask` wrote them down beside the program, else as
    /// Go's tool knows them.
    pub(super) fn definitions(&self) -> Result<Vec<PathBuf>> {
        let beside = match self {
            Self::One(program) => program.with_file_name(DEFINITIONS),
            Self::Each(directory) => directory.join(DEFINITIONS),
        };
        let listed = match env::var_os("WAYPOINT_KUBE_CRDS").map_or(beside, PathBuf::from) {
            file if file.is_file() => fs::read_to_string(file)?,
            _ => modules()?,
        };
        let mut files = Vec::new();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(OURS);
        for path in listed.lines().map(PathBuf::from).chain([ours]) {
            if path.is_dir() {
                files.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
            } else {
                files.push(path);
            }
        }
        files.retain(|file| {
            file.extension().is_some_and(|extension| extension == "yaml")
                && !file.ends_with("kustomization.yaml")
        });
        files.sort();
        Ok(files)
    }

    /// What changes when any of the programs or definitions does, or a setting.
    pub(super) fn fingerprint(&self, setting: &str) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        setting.hash(&mut hasher);
        for name in ["etcd", "kube-apiserver"] {
            let program = self.part(name)?.0.first().map(PathBuf::from).unwrap_or_default();
            let is = program.metadata()?;
            (program, is.len(), is.modified()?).hash(&mut hasher);
        }
        for file in self.definitions()? {
            fs::read(&file).with_context(|| file.display().to_string())?.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}

impl Program {
    /// As the first words of a command.
    pub(super) fn words(&self) -> &[OsString] {
        &self.0
    }
}

/// Where Go keeps the modules that bring the definitions.
fn modules() -> Result<String> {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/kube");
    let format = ["-C", place, "list", "-m", "-f", "{{.Dir}}"];
    let list = |module| command::run("go", &[&format[..], &[module]].concat());
    let (gateway, istio) = (list("sigs.k8s.io/gateway-api")?, list("istio.io/api")?);
    Ok(format!("{}/{GATEWAY_API}\n{}/{ISTIO}\n", gateway.trim(), istio.trim()))
}

const PROGRAM: &str = "waypoint-kube";
/// Paths of definitions, or of directories of them, one a line.
const DEFINITIONS: &str = "crds";
/// Where the definitions of our own kinds are.
const OURS: &str = "../deploy/base/crds";
const GATEWAY_API: &str = "config/crd/experimental";
const ISTIO: &str = "kubernetes/customresourcedefinitions.gen.yaml";
