//! Why a kind cannot be listed or watched.
//!
//! It decides nothing of what follows from it.

use kube::core::Status;

/// Why a kind cannot be listed or watched for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Whoever asks may not.
    #[error("{0}; grant get, list and watch of it to whoever this process runs as")]
    Denied(String),
    /// The server does not remember what came after the version that we have.
    #[error("the server does not remember the version that was read last")]
    Expired,
    /// There is no such kind.
    #[error("the server does not serve it")]
    NotServed,
    /// The server does not understand the question.
    #[error("{0}")]
    NotUnderstood(String),
    /// What the server sent is nothing that we know.
    #[error("the server's answer makes no sense: {0}")]
    Malformed(String),
    /// Nothing came for too long.
    #[error("the server was silent for too long")]
    Silent,
    /// The server cannot be reached, or answers wrongly.
    #[error("{0}")]
    Failed(String),
    /// Nobody wants to know any more.
    #[error("nobody follows it")]
    Unwanted,
}

impl Failure {
    /// One word, for metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::Expired => "expired",
            Self::NotServed => "not_served",
            Self::NotUnderstood(_) => "not_understood",
            Self::Malformed(_) => "malformed",
            Self::Silent => "silent",
            Self::Failed(_) | Self::Unwanted => "failed",
        }
    }

    /// Whether the kind may be gone. Of one that is, servers answer all sorts of things.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(self, Self::NotServed | Self::NotUnderstood(_) | Self::Malformed(_))
    }

    /// What a server's refusal means.
    pub(super) fn of_status(status: &Status) -> Self {
        let text = || status.message.clone();
        match status.code {
            401 | 403 => Self::Denied(text()),
            404 => Self::NotServed,
            410 => Self::Expired,
            400 | 422 => Self::NotUnderstood(text()),
            _ => Self::Failed(text()),
        }
    }
}

impl From<kube::Error> for Failure {
    fn from(cause: kube::Error) -> Self {
        match &cause {
            kube::Error::Api(status) => Self::of_status(status),
            kube::Error::HyperError(inner) => Self::Failed(innermost(inner)),
            kube::Error::Service(inner) => Self::Failed(innermost(inner.as_ref())),
            kube::Error::ReadEvents(inner) => Self::Failed(innermost(inner)),
            kube::Error::SerdeError(inner) => Self::Malformed(inner.to_string()),
            _ => Self::Failed(innermost(&cause)),
        }
    }
}

/// The cause of causes, which says most.
fn innermost(cause: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = cause;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests;
