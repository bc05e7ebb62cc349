//! Many objects.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use waypoint_tests::kube::ControlPlane;
use waypoint_user::{
    mesh::object::ObjectName,
    sync::cluster::{Access, connect},
};

use crate::reader::{Reader, ports};

#[test]
fn five_thousand_services_are_read_soon_and_one_change_sooner() -> Result<()> {
    let plane = ControlPlane::start()?;
    let shop = plane.namespace("size")?;
    make(&plane, &shop)?;
    let began = Instant::now();
    let reader = Reader::start(plane.kubeconfig())?;
    let first = began.elapsed();
    let there = reader.snapshot();
    let of_shop = there.services().keys().filter(|name| name.namespace == shop).count();
    ensure!(of_shop == SERVICES, "{of_shop} Services");
    let mut slowest = Duration::ZERO;
    for port in 81..91 {
        let patch = format!("{{\"spec\": {{\"ports\": [{{\"port\": {port}}}]}}}}");
        let patched = ["patch", "service", "service-7", "--type=merge", "--patch", &patch];
        plane.kubectl(&[&patched[..], &["--namespace", &shop]].concat())?;
        let began = Instant::now();
        reader.wait("changed", |snapshot| ports(snapshot, &shop, "service-7") == [port])?;
        slowest = slowest.max(began.elapsed());
    }
    println!("{SERVICES} Services: first Snapshot after {first:?}, a change after {slowest:?}");
    let is_there = |name| reader.snapshot().services().contains_key(&ObjectName::new(&shop, name));
    ensure!(is_there("service-0") && is_there("service-4999"));
    ensure!(first < FIRST_MAX, "the first Snapshot took {first:?}");
    ensure!(slowest < CHANGE_MAX, "a change took {slowest:?}");
    Ok(())
}

/// Makes Services, many at a time.
fn make(plane: &ControlPlane, namespace: &str) -> Result<()> {
    let access = Access { kubeconfig: Some(plane.kubeconfig().to_owned()), context: None };
    let path = format!("/api/v1/namespaces/{namespace}/services");
    let runtime = tokio::runtime::Runtime::new()?;
    let client = runtime.block_on(connect(&access))?;
    let create = |number: usize| {
        let metadata = serde_json::json!({"name": format!("service-{number}")});
        let spec = serde_json::json!({"ports": [{"port": 80}]});
        let body = serde_json::json!({"metadata": metadata, "spec": spec}).to_string();
        let (client, request) = (&client, http::Request::post(&path));
        let request = request.header("content-type", "application/json").body(body.into_bytes());
        async move {
            client.request_text(request?).await?;
            anyhow::Ok(())
        }
    };
    let made = stream::iter(0..SERVICES).map(create).buffer_unordered(AT_ONCE);
    runtime.block_on(made.try_collect::<()>())
}

const SERVICES: usize = 5000;
/// How many are made at once.
const AT_ONCE: usize = 32;
/// What the first Snapshot may take, also without optimisation.
const FIRST_MAX: Duration = Duration::from_secs(15);
/// What a change may take.
const CHANGE_MAX: Duration = Duration::from_secs(1);
