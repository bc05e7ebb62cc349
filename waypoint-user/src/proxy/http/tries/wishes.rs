//! When another try is wished for, as a TrafficPolicy says it.

use std::time::Duration;

use http::{HeaderValue, Response};

use crate::{
    mesh::traffic_policy::{Retry, RetryOn},
    proxy::{
        http::body::AnswerBody,
        respond::{Fault, Late},
    },
};

use super::Failure;

/// The wishes of a policy.
pub(super) struct Wishes<'a>(pub(super) &'a Retry);

impl Wishes<'_> {
    /// Whether it wants another try after a failure.
    pub(super) fn wants(&self, failure: &Failure) -> bool {
        match failure {
            // It was looked at when it came.
            Failure::Answer(_) => true,
            Failure::Fault(fault) => self.any(|on| is_it(on, fault)),
        }
    }

    /// Whether an answer is one that it wants another try after.
    pub(super) fn are_met_by(&self, response: &Response<AnswerBody>) -> bool {
        let status = response.status().as_u16();
        let grpc = response.headers().get("grpc-status").map(HeaderValue::as_bytes);
        let grpc = grpc.filter(|_| response.body().is_end_stream());
        self.0.codes.contains(&status)
            || self.any(|on| match on {
                RetryOn::ServerError => status >= 500,
                RetryOn::GatewayError => (502..=504).contains(&status),
                RetryOn::Conflict => status == 409,
                RetryOn::Grpc(code) => grpc == Some(code.to_string().as_bytes()),
                RetryOn::ConnectFailure | RetryOn::RefusedStream | RetryOn::Reset => false,
            })
    }

    /// The time before a try; the first is one.
    pub(super) fn pause(&self, number: u32, dice: &mut dyn FnMut(u32) -> u32) -> Duration {
        let most = self.0.backoff.ceiling(number.saturating_sub(1));
        let most = u32::try_from(most.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(dice(most.saturating_add(1)).into())
    }

    fn any(&self, is_met: impl Fn(RetryOn) -> bool) -> bool {
        self.0.on.iter().any(|on| is_met(*on))
    }
}

/// Whether a fault is what a condition names.
fn is_it(on: RetryOn, fault: &Fault) -> bool {
    let unreached = matches!(fault, Fault::ConnectFailed(_) | Fault::ConnectTimeout);
    let refused = matches!(fault, Fault::UpstreamRefused);
    let broke = matches!(
        fault,
        Fault::UpstreamClosed | Fault::UpstreamProtocol | Fault::TooLate(Late::Try)
    );
    match on {
        RetryOn::ConnectFailure => unreached,
        RetryOn::RefusedStream => refused,
        RetryOn::Reset => refused || broke,
        RetryOn::ServerError | RetryOn::GatewayError => unreached || refused || broke,
        RetryOn::Grpc(_) | RetryOn::Conflict => false,
    }
}
