//! The OCI image layout, as an archive that `ctr images import` and others of its kind read.
//!
//! One layer, one image per archive. The image's full name is in the annotation that containerd
//! reads, so that importing names it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::layer::{Archive, Layer};

/// An image that is about to be written.
pub(super) struct Image {
    pub(super) name: String,
    pub(super) entry_point: &'static [&'static str],
    pub(super) title: &'static str,
    pub(super) version: &'static str,
    pub(super) layer: Layer,
}

impl Image {
    /// Writes it and yields the digest of its manifest.
    pub(super) fn write(&self, file: &Path) -> Result<String> {
        let (archive, digest) = self.archive()?;
        fs::write(file, archive).with_context(|| file.display().to_string())?;
        Ok(digest)
    }

    /// The archive, and the digest of the manifest in it.
    fn archive(&self) -> Result<(Vec<u8>, String)> {
        let layer = Blob::new(LAYER, self.layer.archive()?);
        let config = Blob::new(CONFIG, text(&self.config(&layer.digest))?);
        let manifest = Blob::new(MANIFEST, text(&manifest(&config, &layer))?);
        let mut archive = Archive::default();
        archive.folder(Path::new("blobs"), 0o755)?;
        archive.folder(Path::new("blobs/sha256"), 0o755)?;
        for blob in [&config, &layer, &manifest] {
            archive.file(&Path::new("blobs/sha256").join(&blob.digest), 0o644, &blob.bytes)?;
        }
        let index = text(&self.index(&manifest))?;
        archive.file(Path::new("index.json"), 0o644, &index)?;
        let version = text(&json!({"imageLayoutVersion": "1.0.0"}))?;
        archive.file(Path::new("oci-layout"), 0o644, &version)?;
        Ok((archive.finish()?, format!("sha256:{}", manifest.digest)))
    }

    fn config(&self, layer: &str) -> Value {
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": self.entry_point,
                "Env": ["PATH=/usr/bin:/bin"],
                "WorkingDir": "/",
                "Labels": {
                    "org.opencontainers.image.title": self.title,
                    "org.opencontainers.image.version": self.version,
                    "org.opencontainers.image.licenses": "Apache-2.0",
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        })
    }

    fn index(&self, manifest: &Blob) -> Value {
        let entry = json!({
            "mediaType": manifest.kind,
            "digest": manifest.reference(),
            "size": manifest.bytes.len(),
            "platform": {"architecture": architecture(), "os": "linux"},
            "annotations": {
                "io.containerd.image.name": self.name,
                "org.opencontainers.image.ref.name": self.version,
            },
        });
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
    }
}

fn manifest(config: &Blob, layer: &Blob) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    })
}

/// Bytes that others name by their digest.
struct Blob {
    kind: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(kind: &'static str, bytes: Vec<u8>) -> Self {
        let digest = hex(&Sha256::digest(&bytes));
        Self { kind, digest, bytes }
    }

    fn descriptor(&self) -> Value {
        let size = self.bytes.len();
        json!({"mediaType": self.kind, "digest": self.reference(), "size": size})
    }

    /// How others name it.
    fn reference(&self) -> String {
        format!("sha256:{}", self.digest)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn text(value: &Value) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

/// This machine's, by the name that images have for it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

#[cfg(test)]
mod tests;
