//! A request to the API server in words, and why it was denied: with the object, and with what a
//! person can do.
//!
//! It sends nothing.

use std::{error::Error as _, fmt};

use crate::mesh::object::ObjectName;

/// What is asked of the API server.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The verb, as RBAC has it.
    pub(super) verb: &'static str,
    /// The resource, with its group.
    pub(super) resource: &'static str,
    /// Of what: an object, all objects of a namespace (no name), or all of the cluster (neither).
    pub(super) object: ObjectName,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, object: ObjectName { namespace, name } } = self;
        match (namespace.as_str(), name.as_str()) {
            ("", "") => write!(f, "{verb} {resource} of all namespaces"),
            ("", name) => write!(f, "{verb} {resource} {name}"),
            (namespace, "") => write!(f, "{verb} {resource} in namespace {namespace}"),
            (namespace, name) => write!(f, "{verb} {resource} {name} in namespace {namespace}"),
        }
    }
}

/// Why the API server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// Nobody answers.
    #[error(
        "cannot {request}: the API server does not answer: {cause}; is it running, and are \
         --kubeconfig and --context those of the cluster that you mean?"
    )]
    Unreachable {
        /// What was asked.
        request: String,
        /// Why not.
        cause: String,
    },
    /// It does not know who asks.
    #[error(
        "cannot {request}: the API server does not know who you are: {cause}; renew the \
         credentials of your kubeconfig"
    )]
    Unauthorized {
        /// What was asked.
        request: String,
        /// Its words.
        cause: String,
    },
    /// Who asks may not.
    #[error("you may not {request}; ask for a Role with that verb and resource: {cause}")]
    Forbidden {
        /// What was asked.
        request: String,
        /// Its words.
        cause: String,
    },
    /// It has no such kind of objects.
    #[error("the API server has no {0}; install the CustomResourceDefinitions of that group")]
    KindMissing(&'static str),
    /// The object is not there.
    #[error("cannot {request}: {cause}")]
    Absent {
        /// What was asked.
        request: String,
        /// Its words.
        cause: String,
    },
    /// Others own fields that would be changed.
    #[error(
        "cannot {request}: {cause}; change those fields where their owner keeps them, or delete \
         the object first"
    )]
    Conflict {
        /// What was asked.
        request: String,
        /// Its words, which name the owner and the fields.
        cause: String,
    },
    /// Anything else.
    #[error("cannot {request}: {cause}")]
    Refused {
        /// What was asked.
        request: String,
        /// Its words.
        cause: String,
    },
}

impl Denial {
    /// What a client's error means for a request.
    pub(super) fn of(request: &Request, error: &kube::Error) -> Self {
        let resource = request.resource;
        let request = request.to_string();
        let kube::Error::Api(status) = error else {
            let cause = chain(error);
            return match error {
                kube::Error::Service(_) | kube::Error::HyperError(_) => {
                    Self::Unreachable { request, cause }
                }
                kube::Error::Auth(_) => Self::Unauthorized { request, cause },
                _ => Self::Refused { request, cause },
            };
        };
        let cause = one_line(&status.message);
        let named = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
        match status.code {
            UNAUTHORIZED => Self::Unauthorized { request, cause },
            FORBIDDEN => Self::Forbidden { request, cause },
            NOT_FOUND if named => Self::Absent { request, cause },
            NOT_FOUND => Self::KindMissing(resource),
            CONFLICT => Self::Conflict { request, cause },
            _ => Self::Refused { request, cause },
        }
    }
}

/// The words of an error, and of what caused it.
fn chain(error: &kube::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = deeper.source();
    }
    one_line(&words)
}

/// A message of several lines as one.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

const UNAUTHORIZED: u16 = 401;
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

#[cfg(test)]
mod tests;
