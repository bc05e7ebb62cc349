use super::*;
use crate::sync::cluster::kinds::KINDS;

fn all(name: &str) -> Selection {
    Selection::all(KINDS.iter().find(|kind| kind.name == name).unwrap())
}

#[test]
fn objects_are_asked_for_where_they_are() {
    assert_eq!(all("Pod").request("v1").url_path, "/api/v1/pods");
    let of_namespace = Selection { namespace: Some("n".to_owned()), ..all("HTTPRoute") };
    let path = "/apis/gateway.networking.k8s.io/v1beta1/namespaces/n/httproutes";
    assert_eq!(of_namespace.request("v1beta1").url_path, path);
}

#[test]
fn what_holds_for_a_kind_holds_for_each_selection_of_it() {
    let fields = Some("spec.nodeName=a".to_owned());
    let here = Selection { fields, ..all("Pod") };
    let both = "status.phase!=Succeeded,status.phase!=Failed,spec.nodeName=a";
    assert_eq!(here.list_params(1, None).field_selector.as_deref(), Some(both));
    assert_eq!(here.watch_params(1, true).field_selector.as_deref(), Some(both));
    assert_eq!(all("Service").watch_params(1, true).field_selector, None);
    assert_ne!(here, all("Pod"));
}
