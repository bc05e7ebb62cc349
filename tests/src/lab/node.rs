//! The nodes of a lab: network namespaces in which agents run.

use std::iter;

use anyhow::{Context, Result};

use super::{address::Addresses, agent::Agent, netns::Netns};

/// A node.
// Fields are dropped in this order: first what runs, then where it runs.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its number, from 1; the subnet of its pods and its place on the underlay.
    pub number: u8,
    /// Its own addresses.
    pub addresses: Addresses,
    /// Its agent, if there is one.
    pub agent: Option<Agent>,
    /// Its network namespace.
    pub netns: Netns,
}

impl Node {
    /// Kills its agent, if there is one, and removes what that left.
    pub(super) fn clear(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ended = agent.kill();
            let _removed = agent.cleanup(&self.netns);
        }
    }
}

/// At least one node.
#[derive(Debug)]
pub(super) struct Nodes {
    /// Where pods are that name no node.
    pub(super) first: Node,
    pub(super) others: Vec<Node>,
}

impl Nodes {
    pub(super) fn all(&self) -> impl Iterator<Item = &Node> {
        iter::once(&self.first).chain(&self.others)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        iter::once(&mut self.first).chain(&mut self.others)
    }

    pub(super) fn named(&self, name: &str) -> Result<&Node> {
        self.all().find(|node| node.name == name).with_context(|| format!("no node {name}"))
    }

    pub(super) fn named_mut(&mut self, name: &str) -> Result<&mut Node> {
        let found = self.all_mut().find(|node| node.name == name);
        found.with_context(|| format!("no node {name}"))
    }
}
