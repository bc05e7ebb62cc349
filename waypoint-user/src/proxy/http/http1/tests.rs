use crate::http1;

use super::*;

/// The size of what a function of a connection comes to.
fn size<F>(_: impl Fn(Rc<Connection>, Stream, Bytes) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn an_idle_connection_is_small() {
    let (task, wire) = (size(serve_http1), size_of::<RefCell<Wire>>());
    assert!(task <= 1024, "the task of a connection has {task} bytes");
    assert!(wire <= 512, "the state of a connection has {wire} bytes");
}

/// The size of what a function of a request comes to.
fn size_of_talk<F>(
    _: impl Fn(&'static Rc<Connection>, &'static Rc<RefCell<Wire>>, http1::Request) -> F,
) -> usize {
    size_of::<F>()
}

#[test]
fn a_request_needs_little_room() {
    // All of it is allocated, moved and freed for each request.
    let talk = size_of_talk(converse);
    assert!(talk <= 8 * 1024, "answering a request takes {talk} bytes");
}
