//! What becomes of traffic whose waypoint is missing, and what there is to say of each binding.
//!
//! It needs everything else translated first; the rule itself is `select`'s.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use crate::{
    mesh::{
        binding::{Binding, FailMode},
        object::{ObjectName, ObjectRef},
        policy::{AuthorizationPolicy, PolicyTarget},
        report::Report,
        service::Service,
    },
    select::FailModes,
};

use super::{pods::Workloads, remarks, scene::Scene};

/// Completes fail modes and tells of bindings.
pub(super) fn apply(
    scene: &Scene<'_>,
    policies: &BTreeMap<ObjectName, AuthorizationPolicy>,
    services: &mut BTreeMap<ObjectName, Service>,
    workloads: &mut Workloads,
    report: &mut Report,
) {
    let guarded = Guarded::new(policies);
    for (name, service) in services {
        let modes = scene.modes(service.fail_mode, &name.namespace, &service.binding);
        let own = service.policy_target();
        let applies = guarded.any(scene, &name.namespace, &service.binding, Some(&own));
        service.fail_mode = modes.effective();
        service.fail_closed = modes.closed(&service.binding, applies);
        let object = || match &service.external {
            Some(external) => ObjectRef::new("ServiceEntry", external.entry.clone()),
            None => ObjectRef::new("Service", name.clone()),
        };
        tell(object, &service.binding, modes, report);
    }
    for (name, workload) in workloads {
        let modes = scene.modes(FailMode::Unset, &name.namespace, &workload.binding);
        let applies = guarded.any(scene, &name.namespace, &workload.binding, None);
        let completed = (modes.effective(), modes.closed(&workload.binding, applies));
        if (workload.fail_mode, workload.fail_closed) != completed {
            let workload = Arc::make_mut(workload);
            (workload.fail_mode, workload.fail_closed) = completed;
        }
        let object = || ObjectRef::new(workload.kind.as_str(), name.clone());
        tell(object, &workload.binding, modes, report);
    }
}

/// Tells of a binding, if there is one.
fn tell(
    object: impl FnOnce() -> ObjectRef,
    binding: &Binding,
    modes: FailModes,
    report: &mut Report,
) {
    if *binding != Binding::Direct {
        let closed = modes.effective() == FailMode::Closed;
        remarks::binding(&object(), binding, closed, report);
    }
}

/// What policies that are enforced are attached to.
struct Guarded<'a>(HashSet<&'a PolicyTarget>);

impl<'a> Guarded<'a> {
    fn new(policies: &'a BTreeMap<ObjectName, AuthorizationPolicy>) -> Self {
        let enforced = policies.values().filter(|policy| !policy.dry_run);
        Self(enforced.flat_map(|policy| &policy.targets).collect())
    }

    /// Whether a policy applies to a destination of the namespace.
    fn any(
        &self,
        scene: &Scene<'_>,
        namespace: &str,
        binding: &Binding,
        own: Option<&PolicyTarget>,
    ) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let waypoint = binding.waypoint().and_then(|name| scene.waypoints.get(name));
        let through = waypoint.is_some_and(|waypoint| {
            let gateway = PolicyTarget::Gateway(waypoint.name.clone());
            let class = PolicyTarget::GatewayClass(waypoint.class.clone());
            self.0.contains(&gateway) || self.0.contains(&class)
        });
        through
            || own.is_some_and(|own| self.0.contains(own))
            || self.0.contains(&PolicyTarget::Namespace(namespace.to_owned()))
    }
}
