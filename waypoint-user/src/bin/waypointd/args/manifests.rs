//! A mesh that is written down in a directory.

use std::path::PathBuf;

use clap::Args;
use waypoint_user::sync;

use super::Mesh;

#[derive(Args)]
pub(crate) struct Manifests {
    /// Directory of Kubernetes manifests; changes are followed.
    #[arg(long = "manifests", value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    mesh: Mesh,
}

impl Manifests {
    /// The source of a mesh that these arguments describe.
    pub(crate) fn settings(self) -> sync::Settings {
        sync::Settings { mesh: self.mesh.settings(), ..sync::Settings::new(self.directory) }
    }
}
