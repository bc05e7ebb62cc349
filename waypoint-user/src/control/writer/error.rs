//! Why a write did not happen.
//!
//! It says what to do, and not when to try again.

use kube::core::Status;

use crate::control::kind::Target;

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An object of this name is there that we did not make.
    #[error(
        "{target} is there already without label {label}, so it is somebody else's and is left \
         alone; rename or delete it"
    )]
    Foreign {
        /// The object.
        target: Target,
        /// The label that ours have.
        label: &'static str,
    },
    /// Fields belong to somebody else.
    #[error(
        "{target}: {fields} belong to {owners} and stay as they are; let go of them there (or put \
         the values into the Gateway's parametersRef)"
    )]
    Conflict {
        /// The object.
        target: Target,
        /// The fields.
        fields: String,
        /// Who has them.
        owners: String,
    },
    /// The object cannot be like that.
    #[error("{target} is refused: {cause}")]
    Refused {
        /// The object.
        target: Target,
        /// What the API server says.
        cause: String,
    },
    /// We may not.
    #[error("{target} may not be written: {cause}; look at the RBAC rules of the controller")]
    Forbidden {
        /// The object.
        target: Target,
        /// What the API server says.
        cause: String,
    },
    /// There is no such object, or no such kind.
    #[error("{target} is not there: {cause}")]
    Missing {
        /// The object.
        target: Target,
        /// What the API server says.
        cause: String,
    },
    /// The API server did not answer in time.
    #[error("{target}: the API server does not answer")]
    Silent {
        /// The object.
        target: Target,
    },
    /// It cannot be reached, or something is wrong with it.
    #[error("{target}: {cause}")]
    Unreachable {
        /// The object.
        target: Target,
        /// What is wrong.
        cause: kube::Error,
    },
    /// What we made is no object: a bug.
    #[error("{target} cannot be made: {cause}")]
    Malformed {
        /// The object.
        target: Target,
        /// What is wrong.
        cause: serde_json::Error,
    },
}

impl Error {
    /// What the client says, in our words.
    pub(super) fn of(target: &Target, cause: kube::Error) -> Self {
        let target = target.clone();
        match cause {
            kube::Error::Api(status) if status.is_conflict() => conflict(target, &status),
            kube::Error::Api(status) if status.is_forbidden() => {
                Self::Forbidden { target, cause: status.message }
            }
            kube::Error::Api(status) if status.is_not_found() => {
                Self::Missing { target, cause: status.message }
            }
            kube::Error::Api(status) if (400..500).contains(&status.code) && status.code != 429 => {
                Self::Refused { target, cause: status.message }
            }
            cause => Self::Unreachable { target, cause },
        }
    }

    /// One CamelCase word, for events, conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "ForeignObject",
            Self::Conflict { .. } => "FieldConflict",
            Self::Refused { .. } | Self::Malformed { .. } => "WriteRefused",
            Self::Forbidden { .. } => "WriteForbidden",
            Self::Missing { .. } => "WriteMissing",
            Self::Silent { .. } | Self::Unreachable { .. } => "WriteFailed",
        }
    }

    /// Whether a person must do something; otherwise it passes by itself.
    pub fn needs_a_person(&self) -> bool {
        matches!(
            self,
            Self::Foreign { .. }
                | Self::Conflict { .. }
                | Self::Refused { .. }
                | Self::Forbidden { .. }
        )
    }
}

/// Whose fields they are. A conflict without causes is of versions, and passes.
fn conflict(target: Target, status: &Status) -> Error {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice());
    let causes = causes.unwrap_or_default();
    let join = |mut all: Vec<String>| {
        all.sort_unstable();
        all.dedup();
        all.join(", ")
    };
    let owner = |message: &str| {
        let name = message.split('"').nth(1).unwrap_or(message);
        format!("field manager {name}")
    };
    let fields = join(causes.iter().map(|cause| cause.field.clone()).collect());
    let owners = join(causes.iter().map(|cause| owner(&cause.message)).collect());
    if fields.is_empty() {
        return Error::Refused { target, cause: status.message.clone() };
    }
    Error::Conflict { target, fields, owners }
}
