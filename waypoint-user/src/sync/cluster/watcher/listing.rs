//! A list, page by page: of servers that do not stream lists, and where something is read once.
//!
//! It prunes nothing.

use kube::Client;

use crate::sync::cluster::{
    failure::Failure,
    raw::{Page, Raw},
    selection::Selection,
};

/// A list that is being read.
pub(in crate::sync::cluster) struct Listing<'a> {
    client: &'a Client,
    selection: &'a Selection,
    api: &'static str,
    next: Option<String>,
    version: Option<String>,
}

impl<'a> Listing<'a> {
    /// Begins with nothing read.
    pub(in crate::sync::cluster) fn new(
        client: &'a Client,
        selection: &'a Selection,
        api: &'static str,
    ) -> Self {
        Self { client, selection, api, next: None, version: None }
    }

    /// The next page.
    pub(in crate::sync::cluster) async fn page(&mut self) -> Result<Vec<Raw>, Failure> {
        let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let params = self.selection.list_params(limit, self.next.take());
        let request = self.selection.request(self.api).list(&params);
        let request = request.map_err(|cause| Failure::Failed(cause.to_string()))?;
        let page: Page = self.client.request(request).await?;
        self.next = page.metadata.next.filter(|next| !next.is_empty());
        if self.next.is_none() {
            self.version = Some(page.metadata.resource_version);
        }
        Ok(page.items)
    }

    /// The version that the list is of, once it was read to its end.
    pub(in crate::sync::cluster) fn version(&self) -> Option<String> {
        self.version.clone()
    }
}

/// How many objects are read at once.
pub(in crate::sync::cluster) const PAGE: usize = 500;
