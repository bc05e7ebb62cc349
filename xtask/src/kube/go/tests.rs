use super::Version;

#[test]
fn versions_are_compared_as_numbers() {
    assert!(Version::read("1.26.8") >= Version::read("1.26.0"));
    assert!(Version::read("1.9") < Version::read("1.26.0"));
    assert!(Version::read("1.27rc1") > Version::read("1.26"));
    assert!(Version::read("2.0") > Version::read("1.26.0"));
    assert_eq!(Version::read("devel"), None);
    assert_eq!(Version::read("1"), None);
}
