use std::{
    io,
    sync::{Arc, Mutex},
};

use super::*;
use crate::{
    mesh::object::ObjectName,
    sync::finding::{accepted, error, notice},
};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged on the way from one Report to another.
fn logged(before: &Report, after: &Report) -> Vec<String> {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || log(before, after));
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

fn report(findings: &[crate::mesh::report::Finding]) -> Report {
    let mut report = Report::default();
    for finding in findings {
        let service = ObjectRef::new("Service", ObjectName::new("n", "s"));
        report.add(service, finding.clone());
    }
    report
}

#[test]
fn a_finding_is_logged_when_it_is_new_and_when_it_is_resolved() {
    let none = report(&[]);
    let bad = report(&[error("Bad", "it is bad"), accepted("Accepted", "fine")]);
    let [line] = logged(&none, &bad).try_into().unwrap();
    assert_eq!(line, "ERROR it is bad object=Service n/s reason=\"Bad\"");
    assert_eq!(logged(&bad, &bad), Vec::<String>::new());
    let [line] = logged(&bad, &none).try_into().unwrap();
    assert_eq!(line, "INFO resolved: it is bad object=Service n/s reason=\"Bad\"");
}

#[test]
fn a_notice_is_not_resolved_and_a_finding_that_moved_neither() {
    assert_eq!(logged(&report(&[notice("N", "so")]), &report(&[])), Vec::<String>::new());
    let (before, after) = (report(&[error("Bad", "a:1: x")]), report(&[error("Bad", "a:2: x")]));
    let [line] = logged(&before, &after).try_into().unwrap();
    assert!(line.starts_with("ERROR a:2: x"), "{line}");
}
