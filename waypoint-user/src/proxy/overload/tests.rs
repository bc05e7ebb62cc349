use super::*;

#[test]
fn memory_is_read_as_the_kernel_tells_it() {
    assert_eq!(resident("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
    assert_eq!(resident("Name:\tx\n"), None);
    assert!(used().is_some_and(|bytes| bytes > 1 << 20));
}

#[test]
fn pressure_ends_later_than_it_began() {
    assert!(!is_pressed(false, 1000, 1000));
    assert!(is_pressed(false, 1001, 1000));
    assert!(is_pressed(true, 960, 1000));
    assert!(!is_pressed(true, 950, 1000));
}

#[test]
fn one_request_too_many_is_refused_until_another_ends() {
    let overload = Overload::new(1, Pressure::default(), &Registry::new());
    let first = overload.admit();
    assert!(first.is_ok());
    assert_eq!(overload.admit().err(), Some(Fault::Overloaded));
    drop(first);
    assert!(overload.admit().is_ok());
}

#[test]
fn a_body_too_many_is_refused_until_another_is_sent_on() {
    let registry = Registry::new();
    let overload = Overload::new(1, Pressure::default(), &registry);
    let (mut first, mut second) = (overload.hold(), overload.hold());
    assert_eq!(first.grow(AUTH_BODIES_BYTES_MAX), Ok(()));
    assert_eq!(second.grow(1), Err(Fault::Overloaded));
    drop(first);
    assert_eq!(second.grow(1), Ok(()));
}

#[test]
fn no_body_is_held_where_memory_is_short() {
    let pressure = Pressure::default();
    let overload = Overload::new(1, pressure.clone(), &Registry::new());
    pressure.0.store(true, Relaxed);
    assert_eq!(overload.hold().grow(1), Err(Fault::Overloaded));
}
