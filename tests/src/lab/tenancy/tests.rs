use super::{for_servers, stateless, values};

#[test]
fn the_namespaces_of_objects_are_found_and_nothing_else() {
    let text = [
        "metadata: {name: a, namespace: shop}",
        "---",
        "metadata:",
        "  namespace: bank",
        "  labels:",
        "    istio.io/use-waypoint-namespace: \"far\"",
        "spec: {namespace: 'shop'}",
    ];
    let text = &text.join("\n");
    assert_eq!(values(text, "namespace: "), ["bank", "shop"]);
}

#[test]
fn what_only_a_server_says_is_left_out() {
    let pod = "kind: Pod\nmetadata:\n  name: web\n  uid: 1\nspec: {}\n";
    assert_eq!(for_servers(pod), "\nkind: Pod\nmetadata:\n  name: web\nspec: {}\n");
}

#[test]
fn a_status_is_left_out_and_what_follows_it_is_not() {
    let pod = "kind: Pod\nstatus:\n  podIPs:\n  - ip: a\n- b\nspec: {}\n";
    assert_eq!(stateless(pod), "kind: Pod\nspec: {}\n");
    assert_eq!(stateless("kind: Pod\n"), "kind: Pod\n");
}
