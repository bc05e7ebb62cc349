//! The TrafficPolicy that holds for requests, with what workers share of it.
//!
//! Which policy that is, the Snapshot says.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    ptr,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use crate::{
    mesh::{
        object::ObjectName,
        route::{Conduct, Retry, Timeouts},
        traffic_policy::{RequestRules, TrafficPolicy},
    },
    proxy::regime::{Limiter, Regimes, Spending},
    route::RuleId,
};

/// A policy that holds for requests.
pub(in crate::proxy) struct Governed {
    policy: Arc<TrafficPolicy>,
    limiters: Vec<Arc<Limiter>>,
    spending: Arc<Spending>,
    regimes: Arc<Regimes>,
    conduct: Conduct,
}

impl Governed {
    /// A policy, for requests to a Service.
    pub(super) fn new(
        policy: &Arc<TrafficPolicy>,
        service: &ObjectName,
        regimes: &Arc<Regimes>,
        base: &Conduct,
    ) -> Self {
        let rules = &policy.requests;
        let per_try = rules.retry.as_ref().and_then(|retry| retry.per_try_timeout);
        let retry = rules.retry.as_ref().map(|retry| Retry {
            codes: retry.codes.clone(),
            attempts: retry.attempts.into(),
            backoff: None,
        });
        // What the policy says counts, also that it is for ever.
        let limited = |time: Option<Duration>| time.filter(|time| !time.is_zero());
        let timeouts = Timeouts {
            request: limited(rules.timeouts.request.or(base.timeouts.request)),
            backend_request: limited(per_try.or(base.timeouts.backend_request)),
        };
        let persistence = base.persistence.clone();
        Self {
            conduct: Conduct { timeouts, retry: retry.or(base.retry.clone()), persistence },
            limiters: regimes.limiters(policy, service),
            spending: regimes.spending(&policy.name),
            policy: Arc::clone(policy),
            regimes: Arc::clone(regimes),
        }
    }

    /// What holds.
    pub(in crate::proxy) fn rules(&self) -> &RequestRules {
        &self.policy.requests
    }

    /// How requests are brought to an endpoint: as the route has it, where the policy says nothing.
    pub(in crate::proxy) fn conduct(&self) -> &Conduct {
        &self.conduct
    }

    /// How many requests may come.
    pub(in crate::proxy) fn limiters(&self) -> &[Arc<Limiter>] {
        &self.limiters
    }

    /// The time, as limits count it.
    pub(in crate::proxy) fn now(&self) -> Duration {
        self.regimes.now()
    }

    /// Counts a request, where a budget goes by how many there are.
    pub(in crate::proxy) fn asked(&self) {
        if self.rules().retry.as_ref().is_some_and(|retry| retry.budget.is_some()) {
            self.spending.asked(self.now());
        }
    }

    /// Whether the budget has one more retry; if so, it is spent.
    pub(in crate::proxy) fn may_retry(&self) -> bool {
        let budget = self.rules().retry.as_ref().and_then(|retry| retry.budget);
        budget.is_none_or(|budget| self.spending.spend(budget, self.now()))
    }
}

/// The policies that were looked up for a target: for its default route, and for rules.
#[derive(Default)]
pub(super) struct Governors {
    plain: OnceCell<Option<Rc<Governed>>>,
    // The rules live in the target's table, and so as long as this.
    of_rules: RefCell<HashMap<*const RuleId, Option<Rc<Governed>>>>,
}

impl Governors {
    /// The policy for a rule, or for none; `look` finds it the first time.
    pub(super) fn get(
        &self,
        rule: Option<&RuleId>,
        look: impl FnOnce() -> Option<Rc<Governed>>,
    ) -> Option<Rc<Governed>> {
        let Some(rule) = rule else { return self.plain.get_or_init(look).clone() };
        let known = self.of_rules.borrow().get(&ptr::from_ref(rule)).cloned();
        known.unwrap_or_else(|| {
            let found = look();
            self.of_rules.borrow_mut().insert(ptr::from_ref(rule), found.clone());
            found
        })
    }
}

#[cfg(test)]
mod tests;
