use super::*;

fn of(code: u16) -> Failure {
    Failure::of_status(&Status { code, message: "said".to_owned(), ..Status::default() })
}

#[test]
fn a_refusal_tells_what_to_do() {
    assert!(matches!(of(403), Failure::Denied(said) if said == "said"));
    assert!(matches!(of(410), Failure::Expired));
    assert!(matches!(of(404), Failure::NotServed));
    assert!(matches!(of(422), Failure::NotUnderstood(_)));
    assert!(matches!(of(500), Failure::Failed(_)));
}

#[test]
fn the_innermost_cause_is_told() {
    let inner = std::io::Error::other("no route to host");
    let failure = Failure::from(kube::Error::ReadEvents(std::io::Error::other(inner)));
    assert_eq!(failure.to_string(), "no route to host");
}
