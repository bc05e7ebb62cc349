//! Waypoints that stand for a service account, without labels (Istio 1.18,
//! `istio.io/for-service-account`): before every pod of their namespace that runs under it, and
//! before every Service that leads to nothing but such pods.
//!
//! Unlike in Istio 1.18 a Gateway without the annotation stands for nothing by itself.

use std::{collections::BTreeMap, sync::Arc};

use crate::mesh::{
    binding::{Binding, RefusalReason},
    label::Labels,
    object::ObjectName,
    waypoint::Waypoint,
};

use super::bind::{Mesh, is_managed_service, refuse};

/// Service accounts, by namespace and name, and their waypoints.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Accounts(BTreeMap<ObjectName, ObjectName>);

impl Accounts {
    /// The accounts that these waypoints stand for; of two for one account the first by name does.
    pub fn of(waypoints: &BTreeMap<ObjectName, Arc<Waypoint>>) -> Self {
        let mut accounts = BTreeMap::new();
        for (name, waypoint) in waypoints {
            if let Some(account) = &waypoint.for_account {
                let account = ObjectName::new(&name.namespace, account);
                accounts.entry(account).or_insert_with(|| name.clone());
            }
        }
        Self(accounts)
    }

    /// None, for who looks at labels alone.
    pub fn none() -> &'static Self {
        static NONE: Accounts = Accounts(BTreeMap::new());
        &NONE
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The waypoint of an account.
    pub fn waypoint(&self, account: &ObjectName) -> Option<&ObjectName> {
        self.0.get(account)
    }
}

impl Mesh<'_> {
    /// The waypoint of a Service by the accounts that its endpoints run under, `None` for those
    /// that nobody knows. Where only some of them run under an account that has a waypoint, the
    /// Service is refused: half of its connections would pass its policies by.
    pub fn for_service_by_accounts(
        &self,
        namespace: &str,
        labels: &Labels,
        accounts: &[Option<&ObjectName>],
    ) -> Binding {
        if is_managed_service(labels) || self.is_labelled(namespace, labels) {
            return Binding::Direct;
        }
        let known = accounts.iter().flatten();
        let mut waypoints = known.filter_map(|account| self.of_account(account));
        let Some((account, waypoint)) =
            waypoints.find(|(_, waypoint)| waypoint.takes.takes_services())
        else {
            return Binding::Direct;
        };
        if accounts.iter().any(|one| *one != Some(account)) {
            return refuse(waypoint.name.clone(), RefusalReason::MixedServiceAccounts);
        }
        self.bound(waypoint, namespace)
    }

    /// The waypoint of a workload by the account that it runs under.
    pub fn for_workload_by_account(
        &self,
        labels: &Labels,
        account: &ObjectName,
        instance: bool,
    ) -> Binding {
        if instance || self.is_labelled(&account.namespace, labels) {
            return Binding::Direct;
        }
        match self.of_account(account) {
            Some((_, waypoint)) if waypoint.takes.takes_workloads() => {
                self.bound(waypoint, &account.namespace)
            }
            _ => Binding::Direct,
        }
    }

    fn of_account<'s>(&'s self, account: &ObjectName) -> Option<(&'s ObjectName, &'s Waypoint)> {
        let (account, waypoint) = self.accounts.0.get_key_value(account)?;
        Some((account, self.waypoints.get(waypoint)?.as_ref()))
    }

    fn bound(&self, waypoint: &Waypoint, namespace: &str) -> Binding {
        match self.usable(&waypoint.name, namespace) {
            Ok(waypoint) => Binding::Bound(waypoint.name.clone()),
            Err(reason) => refuse(waypoint.name.clone(), reason),
        }
    }
}
