use super::*;

fn written(look: Look) -> String {
    let mut buffer = Vec::new();
    let mut stream = Stream::new(&mut buffer, look);
    stream.done("waypoint a/w applied").unwrap();
    stream.warning("mind the gap").unwrap();
    String::from_utf8(buffer).unwrap()
}

#[test]
fn ornaments_are_for_terminals_and_never_with_no_color() {
    let plain = "waypoint a/w applied\nWarning: mind the gap\n";
    assert_eq!(written(Look::new(false, false)), plain);
    assert_eq!(written(Look::new(true, true)), plain);
    let ornate = "✅ waypoint a/w applied\n⚠️ Warning: mind the gap\n";
    assert_eq!(written(Look::new(true, false)), ornate);
}
