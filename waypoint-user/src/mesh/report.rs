//! What was accepted or refused of the cluster's objects, and why.
//!
//! It is made together with a Snapshot, by the same code, so that what is reported is what is
//! enforced.

use std::{collections::BTreeMap, fmt};

use super::{condition::Condition, object::ObjectRef};

/// Findings and conditions by object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    findings: BTreeMap<ObjectRef, Vec<Finding>>,
    conditions: BTreeMap<ObjectRef, Vec<Condition>>,
}

impl Report {
    /// Adds a finding about an object; the same finding twice counts once.
    pub fn add(&mut self, object: ObjectRef, finding: Finding) {
        let findings = self.findings.entry(object).or_default();
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }

    /// Adds a condition of an object; it replaces one of the same type about the same parent.
    pub fn set(&mut self, object: ObjectRef, condition: Condition) {
        let conditions = self.conditions.entry(object).or_default();
        let same =
            |known: &&mut Condition| known.kind == condition.kind && known.about == condition.about;
        match conditions.iter_mut().find(same) {
            Some(known) => *known = condition,
            None => conditions.push(condition),
        }
    }

    /// Adds all of another report.
    pub fn absorb(&mut self, other: &Self) {
        for (object, finding) in other.iter() {
            self.add(object.clone(), finding.clone());
        }
        for (object, all) in other.conditions() {
            for condition in all {
                self.set(object.clone(), condition.clone());
            }
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.conditions.is_empty()
    }

    /// The conditions of an object; none where there is nothing to decide about it.
    pub fn conditions_of(&self, object: &ObjectRef) -> &[Condition] {
        self.conditions.get(object).map_or(&[], Vec::as_slice)
    }

    /// Every object that has conditions, with all of them.
    pub fn conditions(&self) -> impl Iterator<Item = (&ObjectRef, &[Condition])> {
        self.conditions.iter().map(|(object, all)| (object, all.as_slice()))
    }

    /// Every finding, by object.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectRef, &Finding)> {
        self.findings.iter().flat_map(|(object, all)| all.iter().map(move |one| (object, one)))
    }

    /// The findings about one object.
    pub fn of(&self, object: &ObjectRef) -> impl Iterator<Item = &Finding> {
        self.findings.get(object).into_iter().flatten()
    }

    /// Findings of this report that an earlier one had not.
    pub fn since<'a>(
        &'a self,
        earlier: &'a Self,
    ) -> impl Iterator<Item = (&'a ObjectRef, &'a Finding)> {
        self.iter().filter(|(object, finding)| {
            earlier.findings.get(object).is_none_or(|known| !known.contains(finding))
        })
    }

    /// The gravest severity in it.
    pub fn worst(&self) -> Option<Severity> {
        self.iter().map(|(_, finding)| finding.severity).max()
    }
}

/// Something to tell about an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// One CamelCase word, as in a condition's `reason`.
    pub reason: String,
    /// A sentence with what is wrong and what to do.
    pub message: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Severity {
    /// As it should be.
    Accepted,
    /// Worth knowing.
    Notice,
    /// Works, but not as written.
    Warning,
    /// Not in force.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Accepted => "ok",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

#[cfg(test)]
mod tests;
