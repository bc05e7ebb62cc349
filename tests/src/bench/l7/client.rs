//! The client process: it keeps whatever it is pointed at busy, and watches what that costs.
//!
//! **Invariant:** CPU time is read when counting begins and when it ends, of everybody at once.

mod abort;
mod closed;
mod connection;
mod idle;
mod paced;
mod window;

use anyhow::Result;

use super::load::{Load, Seen, Shape};

/// Does what is asked, and says what was seen.
pub fn run(load: &Load) -> Result<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match load.shape {
        Shape::Paced => paced::measure(load),
        Shape::Abort => abort::measure(load),
        Shape::Idle => runtime.block_on(idle::measure(load)),
        Shape::Http1 | Shape::Http2 | Shape::Bulk | Shape::Fresh => {
            runtime.block_on(closed::measure(load))
        }
    }
}
