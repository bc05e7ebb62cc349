use super::check;
use crate::shell::root;

#[test]
fn the_repository_is_tidy() {
    let complaints: Vec<String> = check(root()).unwrap().iter().map(ToString::to_string).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
