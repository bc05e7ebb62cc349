//! The requests of a client's HTTP/2 connection, as tasks.
//!
//! hyper asks for no more of a body while the client has no room for what there is, and so does not
//! hear that the response must not go on. Each task looks for that by itself.
//!
//! **Invariant:** a stream that must not go on is reset, whether its client reads or not.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    rc::{Rc, Weak},
    task::Poll,
};

use futures_util::{FutureExt, future::try_join};
use hyper::rt::Executor;

use crate::telemetry::task;

use super::body::{ResponseBody, Stream};

/// Runs the tasks of a connection on the worker's own thread.
#[derive(Clone, Default)]
pub(super) struct Streams {
    /// The body of the response that the task which runs now has begun.
    begun: Rc<RefCell<Begun>>,
}

type Begun = Weak<RefCell<Stream>>;

impl Streams {
    /// The same body, which is looked after by the task that answers with it.
    pub(super) fn watch(&self, body: ResponseBody) -> ResponseBody {
        let ResponseBody::Stream(stream) = body else { return body };
        let stream = Rc::new(RefCell::new(*stream));
        self.begun.replace(Rc::downgrade(&stream));
        ResponseBody::Watched(stream)
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        let (begun, mut body) = (Rc::clone(&self.begun), None);
        let ended = Rc::clone(&self.begun);
        let watching = poll_fn(move |cx| {
            // Nothing runs between the task that begins a response and this.
            if begun.borrow().strong_count() > 0 {
                body = Some(begun.take());
            }
            let over = match body.as_ref().and_then(Begun::upgrade) {
                Some(body) => body.borrow_mut().poll_over(cx).map(drop),
                None => Poll::Pending,
            };
            over.map(|()| Err::<(), _>(Over))
        });
        // Whichever ends first ends both, and a stream that is dropped is reset.
        let stream = future.map(move |_| {
            ended.take();
            Err::<(), _>(Over)
        });
        task::spawn_local("http2 stream", try_join(stream, watching));
    }
}

/// The end of a task.
struct Over;
