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
