//! The objects of a lab, and edits to them: a directory of manifests that agents read, and where
//! the lab has a control plane, the same objects there, which they follow instead.
//!
//! **Invariant:** a file appears whole: it is written elsewhere and renamed.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    netns::Netns,
    object::{Manifest, Meta},
    tenancy::{Expectation, Tenancy},
};
use crate::kube::ControlPlane;

/// The objects in force, each in a file of its own.
#[derive(Debug)]
pub struct Manifests {
    directory: PathBuf,
    objects: BTreeMap<(String, String), Manifest>,
    tenancy: Option<Tenancy>,
}

/// Where agents and waypoints read the objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// In the directory.
    Directory,
    /// In a control plane, which has them too.
    ControlPlane,
}

impl Source {
    /// Where stories are told that do not say.
    pub(super) fn told() -> Self {
        match env::var_os(SOURCE) {
            Some(source) if source == "cluster" => Self::ControlPlane,
            _ => Self::Directory,
        }
    }
}

impl Manifests {
    /// An empty directory; and an empty control plane, if it is wanted.
    pub fn create(directory: PathBuf, source: Source) -> Result<Self> {
        fs::create_dir_all(&directory)?;
        let tenancy = match source {
            Source::Directory => None,
            Source::ControlPlane => Some(Tenancy::begin()?),
        };
        Ok(Self { directory, objects: BTreeMap::new(), tenancy })
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The control plane that has the objects too, if any does.
    pub fn control_plane(&self) -> Option<&ControlPlane> {
        self.tenancy.as_ref().map(Tenancy::plane)
    }

    /// The credentials by which processes in a namespace follow the control plane, if there is one.
    pub fn door_in(&self, netns: &Netns) -> Result<Option<PathBuf>> {
        self.tenancy.as_ref().map(|tenancy| tenancy.door_in(netns)).transpose()
    }

    /// Hands everything that was written so far to the control plane, and from then on each edit;
    /// one that sees to itself has its controllers before.
    pub(super) fn begin(&mut self, governed: bool) -> Result<()> {
        if let Some(plane) = self.control_plane().filter(|_| governed) {
            plane.run_controllers()?;
        }
        self.tenancy.as_mut().map_or(Ok(()), Tenancy::move_in)
    }

    /// Waits until a controller has said where every Gateway is; that is then expected as well.
    pub(super) fn await_gateways(&mut self) -> Result<()> {
        self.tenancy.as_mut().map_or(Ok(()), Tenancy::await_gateways)
    }

    /// Does not expect objects of a kind to be read that were written so far.
    pub(super) fn forget(&mut self, kind: &str) {
        if let Some(tenancy) = &mut self.tenancy {
            tenancy.forget(kind);
        }
    }

    /// What shows that every edit is in force, where that can be told exactly.
    pub(super) fn expectation(&self) -> Option<Expectation> {
        self.tenancy.as_ref().map(Tenancy::expectation)
    }

    /// Writes an object.
    pub fn put(&mut self, manifest: Manifest) -> Result<()> {
        let key = (manifest.kind.to_owned(), manifest.meta.name.clone());
        let earlier = self.objects.get(&key);
        let is_another = earlier
            .is_some_and(|earlier| manifest.kind == "Pod" && earlier.meta.uid != manifest.meta.uid);
        if is_another && let Some(tenancy) = &mut self.tenancy {
            tenancy.delete(&manifest.to_string())?;
        }
        self.write(&file_of(&manifest), &manifest.to_string())?;
        self.objects.insert(key, manifest);
        Ok(())
    }

    /// Changes labels and annotations of an object.
    pub fn edit(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Meta)) -> Result<()> {
        let key = (kind.to_owned(), name.to_owned());
        let manifest = self.objects.get_mut(&key);
        let manifest = manifest.with_context(|| format!("no {kind} {name} in this lab"))?;
        change(&mut manifest.meta);
        let (file, text) = (file_of(manifest), manifest.to_string());
        self.write(&file, &text)
    }

    /// Removes an object.
    pub fn remove(&mut self, kind: &str, name: &str) -> Result<()> {
        let manifest = self.objects.remove(&(kind.to_owned(), name.to_owned()));
        let manifest = manifest.with_context(|| format!("no {kind} {name} in this lab"))?;
        self.delete(&file_of(&manifest))
    }

    /// Writes any text under a file name.
    pub fn write(&mut self, file: &str, text: &str) -> Result<()> {
        if let Some(tenancy) = &mut self.tenancy {
            tenancy.apply(text)?;
        }
        let path = self.directory.join(file);
        let aside = self.directory.with_extension("aside");
        fs::write(&aside, text)?;
        fs::rename(&aside, &path).with_context(|| format!("write {}", path.display()))
    }

    /// Removes a file.
    pub fn delete(&mut self, file: &str) -> Result<()> {
        let path = self.directory.join(file);
        if let Some(tenancy) = &mut self.tenancy {
            tenancy.delete(&fs::read_to_string(&path)?)?;
        }
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
    }
}

fn file_of(manifest: &Manifest) -> String {
    let (kind, meta) = (manifest.kind.to_lowercase(), &manifest.meta);
    format!("{kind}-{}-{}.yaml", meta.namespace, meta.name)
}

/// The variable that says `cluster` where stories are to be told with a control plane.
const SOURCE: &str = "WAYPOINT_LAB_SOURCE";
