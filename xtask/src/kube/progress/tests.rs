use super::Account;

#[test]
fn packages_are_counted_and_complaints_are_kept() {
    let mut account = Account::default();
    for line in ["fmt", "k8s.io/api/core/v1", "# waypoint.dev/tests/kube", "./main.go:9:2: unused"]
    {
        account.read(line.to_owned());
    }
    assert_eq!(account.packages, 2);
    assert_eq!(account.complaints, ["# waypoint.dev/tests/kube", "./main.go:9:2: unused"]);
}
