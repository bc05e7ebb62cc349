//! Where a request goes: what its routes choose, or the Service itself.

use std::{net::SocketAddr, rc::Rc};

use http::{HeaderValue, Response, StatusCode, header::LOCATION};

use crate::{
    proxy::{
        head::HeadRef,
        respond::Fault,
        view::{Cluster, Target, View},
    },
    route::{Choice, Edits, RuleId},
};

use super::{body::ResponseBody, fields};

/// What becomes of a request.
pub(super) enum Planned<'t> {
    /// It is answered with a redirect.
    Redirect {
        /// The rule that says so.
        rule: &'t RuleId,
        /// The answer.
        response: Response<ResponseBody>,
    },
    /// Its rule has no place to send it.
    Nowhere {
        /// The rule.
        rule: &'t RuleId,
        /// Why there is no place.
        reason: String,
    },
    /// It is forwarded.
    Forward(Plan<'t>),
}

/// Where a request is forwarded to, and how it changes.
pub(super) struct Plan<'t> {
    /// The rule that says so; `None` for the default route.
    pub(super) rule: Option<&'t RuleId>,
    /// The endpoints.
    pub(super) cluster: Rc<Cluster>,
    /// What is done to the request and the response.
    pub(super) edits: Edits<'t>,
}

impl Planned<'_> {
    /// How the access log names the rule.
    pub(super) fn route_name(&self) -> String {
        let rule = match self {
            Self::Redirect { rule, .. } | Self::Nowhere { rule, .. } => Some(*rule),
            Self::Forward(plan) => plan.rule,
        };
        rule.map_or_else(|| DEFAULT_ROUTE.to_owned(), ToString::to_string)
    }
}

/// Asks the target's routes; where it has none, the request goes to the target itself.
pub(super) fn plan<'t>(
    head: &HeadRef<'_>,
    target: &'t Target,
    (view, dialled): (&View, SocketAddr),
    dice: &mut dyn FnMut(u32) -> u32,
) -> Result<Planned<'t>, Fault> {
    let Some(table) = &target.table else {
        let cluster = view.default_cluster(target, dialled);
        return Ok(Planned::Forward(Plan { rule: None, cluster, edits: Edits::default() }));
    };
    match table.choose(head, dice) {
        Choice::NoMatch => Err(Fault::NoRoute),
        Choice::Unroutable { rule, reason } => Ok(Planned::Nowhere { rule, reason }),
        Choice::Redirect { rule, status, location, edits } => {
            let response = redirect(status, &location, &edits);
            Ok(Planned::Redirect { rule, response })
        }
        Choice::Forward { rule, service, port, edits } => {
            let Some(cluster) = view.cluster(service, port, dialled) else {
                let reason = format!("there is no Service {service} with port {port}");
                return Ok(Planned::Nowhere { rule, reason });
            };
            Ok(Planned::Forward(Plan { rule: Some(rule), cluster, edits }))
        }
    }
}

/// A redirect.
fn redirect(status: u16, location: &str, edits: &Edits<'_>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(LOCATION, location);
    }
    fields::edit(headers, &edits.response);
    fields::remove_framing(headers);
    response
}

/// How the access log names the route of a target without routes.
const DEFAULT_ROUTE: &str = "default";
