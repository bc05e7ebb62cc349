//! What this process goes by, for whoever waits until it does.
//!
//! It compares nothing: whoever asks knows what there should be.
//!
//! **Invariant:** what is shown was in force before it is shown.
//! **Invariant:** no more than [`WAITERS_MAX`] requests wait at a time, and none longer than
//! [`WAIT_MAX`].

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

/// What is shown; clones show the same.
#[derive(Clone, Debug)]
pub struct Applied {
    pages: watch::Receiver<Page>,
    places: Arc<Semaphore>,
}

/// Where the process says what it goes by.
#[derive(Debug)]
pub struct Publisher {
    pages: watch::Sender<Page>,
    /// Tells this process's versions from those of an earlier one.
    start: u128,
    count: u64,
}

/// What is in force, and its version.
#[derive(Clone, Debug, Default)]
struct Page {
    version: String,
    text: Arc<str>,
}

/// Shows nothing until something is published.
pub fn channel() -> (Publisher, Applied) {
    let (sender, pages) = watch::channel(Page::default());
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let places = Arc::new(Semaphore::new(WAITERS_MAX));
    (Publisher { pages: sender, start, count: 0 }, Applied { pages, places })
}

impl Publisher {
    /// Shows what `text` makes of a version of its own.
    pub fn show(&mut self, text: impl FnOnce(&str) -> String) {
        self.count += 1;
        let version = format!("{:x}-{}", self.start, self.count);
        let text = text(&version).into();
        self.pages.send_replace(Page { version, text });
    }
}

impl Applied {
    /// What is in force, or a wait for what comes after it; `None` when too many wait already.
    pub(super) fn ask(&self, after: Option<&str>) -> Option<Answer> {
        let is_new = {
            let page = self.pages.borrow();
            !page.version.is_empty() && after != Some(page.version.as_str())
        };
        let place =
            if is_new { None } else { Some(Arc::clone(&self.places).try_acquire_owned().ok()?) };
        let after = after.unwrap_or_default().to_owned();
        Some(Answer { pages: self.pages.clone(), after, place })
    }
}

/// An answer that may still have to be waited for.
pub(super) struct Answer {
    pages: watch::Receiver<Page>,
    after: String,
    place: Option<OwnedSemaphorePermit>,
}

impl Answer {
    /// The text: of another version than the one that is known, or after a long wait of that one.
    pub(super) async fn text(mut self) -> Arc<str> {
        if self.place.is_some() {
            let is_new = |page: &Page| page.version != self.after;
            // If nothing comes, what is known is said again, so that both sides know of each other.
            let _ = timeout(WAIT_MAX, self.pages.wait_for(is_new)).await;
        }
        Arc::clone(&self.pages.borrow().text)
    }
}

/// How many requests may wait at a time; more are refused.
const WAITERS_MAX: usize = 16;
/// How long a request waits for something new.
const WAIT_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
