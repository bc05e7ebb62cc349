//! What is to be said of every object, beside what it says now.
//!
//! It is a pure function of the mesh, its Report, and what waypoints say that they apply.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    mesh::object::{ObjectName, ObjectRef},
    sync::State,
};

use super::{
    applied::Applied,
    current,
    entry::{Entry, say_the_same},
    programmed,
    write::Kind,
};

/// What is to be said of one object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) object: ObjectRef,
    /// Tells the object from a later one of its name.
    pub(super) uid: Option<String>,
    /// What it is to say.
    pub(super) entries: Vec<Entry>,
    /// What it says.
    pub(super) current: Vec<Entry>,
}

impl Wanted {
    /// Whether there is anything to write.
    pub(super) fn differs(&self) -> bool {
        !say_the_same(&self.entries, &self.current)
    }
}

/// All objects of which there is something to say, or that say something.
pub(super) fn wanted<'s>(
    state: &'s State,
    applied: &'s Applied,
) -> impl Iterator<Item = Wanted> + 's {
    let objects = &state.objects;
    let services = objects.services.iter().map(move |(name, service)| {
        let current = current::of(Kind::Service, service.status.as_ref());
        of_object(state, Kind::Service, name, &service.metadata, current)
    });
    let routes = objects.http_routes.iter().map(move |(name, route)| {
        let current = current::of(Kind::HttpRoute, route.status.as_ref());
        let mut wanted = of_object(state, Kind::HttpRoute, name, &route.metadata, current);
        let conditions = programmed::conditions(state, applied, &wanted.object);
        let of_route = |condition| Entry::new(condition, route.metadata.generation);
        wanted.entries.extend(conditions.iter().map(of_route));
        wanted
    });
    let policies = objects.policies.iter().filter_map(move |(name, policy)| {
        let (metadata, current) = current::of_policy(policy)?;
        Some(of_object(state, Kind::AuthorizationPolicy, name, metadata, current))
    });
    let all = services.chain(routes).chain(policies);
    all.filter(|one| !(one.entries.is_empty() && one.current.is_empty()))
}

fn of_object(
    state: &State,
    kind: Kind,
    name: &ObjectName,
    metadata: &ObjectMeta,
    current: Vec<Entry>,
) -> Wanted {
    let object = ObjectRef::new(kind.as_str(), name.clone());
    let conditions = state.report.conditions_of(&object).iter();
    let entries = conditions.map(|one| Entry::new(one, metadata.generation)).collect();
    Wanted { kind, object, uid: metadata.uid.clone(), entries, current }
}

#[cfg(test)]
mod tests;
