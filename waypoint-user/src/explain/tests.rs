use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::mesh::{
    report::{Finding, Severity},
    service::{AppProtocol, Endpoint, Service, ServicePort},
    snapshot::Contents,
    workload::Enrolment,
};

/// Service `a/s` with addresses of both families, headless `a/h`, and the client `b/client`.
fn mesh() -> Snapshot {
    let port = ServicePort { name: String::new(), number: 80, protocol: AppProtocol::Detect };
    let endpoint = Endpoint {
        address: "10.1.0.1".parse().unwrap(),
        workload: Some(ObjectName::new("a", "p1")),
        ports: vec![(80, 8080)],
        ready: true,
        weight: 1,
    };
    let service = |name: &str, vips: &[&str]| Service {
        vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
        ports: vec![port.clone()],
        endpoints: vec![endpoint.clone()],
        ..Service::new(ObjectName::new("a", name))
    };
    let pod = |namespace: &str, name: &str, address: &str| Workload {
        addresses: vec![address.parse().unwrap()],
        enrolment: Enrolment::Enrolled,
        ..Workload::new(ObjectName::new(namespace, name))
    };
    let services = [service("s", &["10.0.0.1", "fd00::1"]), service("h", &[])];
    let workloads = [pod("b", "client", "fd01::9"), pod("a", "p1", "10.1.0.1")];
    Snapshot::new(Contents {
        services: services.into_iter().map(|one| (one.name.clone(), Arc::new(one))).collect(),
        workloads: workloads.into_iter().map(|one| (one.name.clone(), Arc::new(one))).collect(),
        namespaces: BTreeMap::new(),
        ..Contents::default()
    })
}

fn asked(host: &str) -> Result<Explanation, Unknown> {
    let client = ObjectName::new("b", "client");
    let question = Question { client, host: host.to_owned(), port: 80 };
    explain(&mesh(), &Report::default(), &question)
}

#[test]
fn a_name_means_what_the_clients_resolver_makes_of_it() {
    for host in ["s.a", "s.a.svc", "s.a.svc.cluster.local", "S.a.svc.cluster.local.", "[fd00::1]"] {
        let address = asked(host).unwrap().address;
        assert_eq!(address.as_deref(), Some("[fd00::1]:80"), "{host}");
    }
    assert_eq!(asked("10.0.0.1").unwrap().address.as_deref(), Some("10.0.0.1:80"));
    assert_eq!(asked("::ffff:10.0.0.1").unwrap().address.as_deref(), Some("10.0.0.1:80"));
    assert_eq!(asked("h.a").unwrap().address.as_deref(), Some("10.1.0.1:8080"));
}

#[test]
fn what_is_not_there_is_named() {
    assert!(asked("s").unwrap_err().to_string().contains("no Service b/s"));
    assert!(asked("api.example.com").unwrap_err().to_string().contains("write the address"));
    let question = Question { client: ObjectName::new("b", "x"), host: "s.a".into(), port: 80 };
    let error = explain(&mesh(), &Report::default(), &question).unwrap_err();
    assert!(error.to_string().starts_with("there is no Pod b/x"), "{error}");
}

#[test]
fn warnings_about_what_decided_are_repeated_and_others_are_not() {
    let mut report = Report::default();
    for (name, message) in [("s", "it has a flaw"), ("other", "it has another")] {
        let object = ObjectRef::new("Service", ObjectName::new("a", name));
        let severity = Severity::Warning;
        let finding = Finding { severity, reason: "Flaw".into(), message: message.into() };
        report.add(object, finding);
    }
    let client = ObjectName::new("b", "client");
    let question = Question { client, host: "s.a".to_owned(), port: 80 };
    let explanation = explain(&mesh(), &report, &question).unwrap();
    let remarks = explanation.steps.iter().filter(|step| step.topic == "remark");
    let remarks: Vec<_> = remarks.map(|step| step.says.as_str()).collect();
    assert_eq!(remarks, ["Flaw: it has a flaw"]);
}

#[test]
fn an_explanation_travels_as_json() {
    let explanation = asked("s.a").unwrap();
    let text = serde_json::to_string(&explanation).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&text).unwrap(), explanation);
    assert!(explanation.is_as_asked(), "nothing was asked for: {explanation:?}");
}
