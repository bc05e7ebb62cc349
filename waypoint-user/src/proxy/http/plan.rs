//! Where a request goes: what its routes choose, or the Service itself.

use std::{borrow::Cow, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use http::{HeaderValue, Response, StatusCode, header::LOCATION};
use tokio::time::Instant;

use crate::{
    mesh::{
        object::ObjectName,
        request::{CONNECT, Peer, RequestHead},
        route::Conduct,
    },
    proxy::{
        head::HeadRef,
        respond::{Fault, Late},
        view::{Cluster, Endpoint, Governed, Target, View},
    },
    route::{Choice, Edits, RuleId},
};

use super::{
    auth::Guard,
    body::{Progress, ResponseBody},
    deadline::Until,
    fields,
    idle::Idle,
    session::{self, Session, Sessions},
};

/// What becomes of a request.
pub(super) enum Planned<'t> {
    /// Its rule answers it.
    Reply {
        /// The rule that says so.
        rule: &'t RuleId,
        /// The answer.
        response: Response<ResponseBody>,
        /// Who is asked first.
        guard: Option<Guard<'t>>,
        /// What holds meanwhile.
        terms: Terms<'t>,
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
    /// How it is brought there.
    pub(super) terms: Terms<'t>,
    /// What of the request is hashed, where anything is.
    pub(super) hash: Option<u64>,
    /// Who is asked first whether it may pass.
    pub(super) guard: Option<Guard<'t>>,
    /// The endpoints that get a copy.
    pub(super) mirrors: Vec<Rc<Cluster>>,
    /// The session that the request belongs to, or begins.
    pub(super) sessions: Option<Sessions<'t>>,
}

impl<'t> Plan<'t> {
    /// A plan for a target without routes.
    fn by_default(cluster: Rc<Cluster>, terms: Terms<'t>) -> Self {
        Self {
            rule: None,
            cluster,
            edits: Edits::default(),
            terms,
            hash: None,
            guard: None,
            mirrors: Vec::new(),
            sessions: None,
        }
    }

    /// The endpoint of the session that the request belongs to.
    pub(super) fn pinned(&self) -> Option<&Endpoint> {
        let sessions = self.sessions.as_ref()?;
        let (service, port) = sessions.backend;
        let session = sessions.current.filter(|session| session.is_of(service, port))?;
        self.cluster.find(|address| session.is_at(address))
    }
}

/// How a request is brought to its end, and how long that may take.
pub(super) struct Terms<'t> {
    /// As its rule says.
    conduct: &'t Conduct,
    /// The policy that holds for it, if one does; what it says of conduct comes first.
    pub(super) governed: Option<Rc<Governed>>,
}

impl Terms<'_> {
    /// How it is brought there.
    pub(super) fn conduct(&self) -> &Conduct {
        self.governed.as_ref().map_or(self.conduct, |governed| governed.conduct())
    }

    /// When the response to a request that began then must have come to its end; its client may
    /// wait for less.
    pub(super) fn until(&self, began: Instant, by_client: Option<Duration>) -> Option<Until> {
        let by_policy = self.governed.as_ref();
        let by_policy = by_policy.and_then(|by| by.rules().timeouts.max_stream_duration);
        let first = Until::first(
            Until::after(began, self.conduct().timeouts.request, Late::Request),
            Until::after(began, by_client, Late::Call),
        );
        Until::first(first, Until::after(began, by_policy, Late::Stream))
    }

    /// What ends the request when nothing moves.
    pub(super) fn idle(&self, progress: &Rc<Progress>) -> Option<Idle> {
        let time = self.governed.as_ref()?.rules().timeouts.stream_idle?;
        Some(Idle::new(time, progress))
    }
}

impl<'t> Planned<'t> {
    /// What holds until it is answered; `None` where it is at once.
    pub(super) fn terms(&self) -> Option<&Terms<'t>> {
        match self {
            Self::Reply { terms, .. } => Some(terms),
            Self::Nowhere { .. } => None,
            Self::Forward(plan) => Some(&plan.terms),
        }
    }

    /// Who is asked first.
    pub(super) fn guard(&self) -> Option<&Guard<'t>> {
        match self {
            Self::Reply { guard, .. } => guard.as_ref(),
            Self::Nowhere { .. } => None,
            Self::Forward(plan) => plan.guard.as_ref(),
        }
    }

    /// How the access log names the rule.
    pub(super) fn route_name(&self) -> Arc<str> {
        let rule = match self {
            Self::Reply { rule, .. } | Self::Nowhere { rule, .. } => Some(*rule),
            Self::Forward(plan) => plan.rule,
        };
        rule.map_or_else(|| Arc::from(DEFAULT_ROUTE), |rule| Arc::clone(&rule.label))
    }
}

/// Asks the target's routes; where it has none, the request goes to the target itself.
pub(super) fn plan<'t>(
    head: &HeadRef<'_>,
    target: &'t Target,
    (view, peer, dialled): (&View, &Peer, SocketAddr),
    dice: &mut dyn FnMut(u32) -> u32,
) -> Result<Planned<'t>, Fault> {
    let rules = target.table.as_ref().and_then(|table| table.rules(peer.namespace()));
    let connects = head.method() == CONNECT;
    let Some(rules) = rules else {
        if connects {
            return Err(Fault::MethodRefused);
        }
        let cluster = view.default_cluster(target, dialled);
        let governed = view.governed(target, None, &BY_DEFAULT);
        let terms = Terms { conduct: &BY_DEFAULT, governed };
        return Ok(Planned::Forward(Plan::by_default(cluster, terms)));
    };
    let decided = rules.find(head);
    let decided = decided.ok_or(if connects { Fault::MethodRefused } else { Fault::NoRoute })?;
    let conduct = decided.conduct();
    let session = conduct.persistence.as_ref();
    let session = session.and_then(|by| Session::of(head, by, session::now()));
    let prefers =
        |service: &ObjectName, port| session.is_some_and(|session| session.is_of(service, port));
    let guard = || {
        let auth = decided.auth()?;
        Some(Guard { auth, cluster: view.cluster(&auth.service, auth.port, dialled) })
    };
    let terms = |rule| Terms { conduct, governed: view.governed(target, Some(rule), conduct) };
    match decided.choose(head, &prefers, dice) {
        Choice::NoMatch => Err(Fault::NoRoute),
        Choice::Unroutable { rule, reason } => Ok(Planned::Nowhere { rule, reason }),
        Choice::Redirect { rule, status, location, edits } => {
            let response = redirect(status, &location, &edits);
            Ok(Planned::Reply { rule, response, guard: guard(), terms: terms(rule) })
        }
        Choice::Preflight { rule, edits } => {
            let response = answer(StatusCode::NO_CONTENT, &edits);
            Ok(Planned::Reply { rule, response, guard: None, terms: terms(rule) })
        }
        Choice::Forward { rule, service, port, edits, mirrors } => {
            let Some(cluster) = view.cluster(service, port, dialled) else {
                let reason = format!("there is no Service {service} with port {port}");
                return Ok(Planned::Nowhere { rule, reason });
            };
            let mirrors = mirrors.into_iter();
            let mirrors = mirrors.filter_map(|to| view.cluster(&to.service, to.port, dialled));
            let sessions = conduct.persistence.as_ref().map(|by| {
                let path = session::cookie_path(head.path(), decided.prefix_len());
                Sessions { by, current: session, backend: (service, port), path }
            });
            let mirrors = mirrors.collect();
            let plan = Plan::by_default(cluster, terms(rule));
            let (rule, guard) = (Some(rule), guard());
            Ok(Planned::Forward(Plan { rule, edits, guard, mirrors, sessions, ..plan }))
        }
    }
}

/// A redirect.
fn redirect(status: u16, location: &str, edits: &Edits<'_>) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    let mut response = answer(status, edits);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().entry(LOCATION).or_insert(location);
    }
    response
}

/// An answer without a body.
fn answer(status: StatusCode, edits: &Edits<'_>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    fields::edit(headers, edits.response.iter().map(Cow::as_ref));
    fields::remove_framing(headers);
    response
}

/// How the access log names the route of a target without routes.
const DEFAULT_ROUTE: &str = "default";

/// How requests to a target without routes are brought there.
pub(super) static BY_DEFAULT: Conduct = Conduct::DEFAULT;
