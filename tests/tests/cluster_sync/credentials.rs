//! What proves who follows a cluster, when it changes.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use kube::Client;
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use waypoint_tests::kube::ControlPlane;
use waypoint_user::sync::cluster::{Access, connect};

#[test]
fn a_client_proves_itself_by_the_certificate_that_its_files_have_now() -> Result<()> {
    let plane = ControlPlane::shared()?;
    let home = plane.directory().join("exchanged");
    fs::create_dir_all(&home)?;
    let (config, user) = moved(plane.kubeconfig(), &home)?;
    let stranger = generate_simple_self_signed(vec!["stranger".to_owned()])?;
    fs::write(home.join("user.pem"), stranger.cert.pem())?;
    fs::write(home.join("user.key"), stranger.signing_key.serialize_pem())?;
    let runtime = Runtime::new()?;
    let access = Access { kubeconfig: Some(config), context: None };
    let client = runtime.block_on(connect(&access))?;
    ensure!(runtime.block_on(namespaces(&client)).is_err(), "a stranger may read");

    fs::copy(text(&user, "client-certificate")?, home.join("user.pem"))?;
    // Between the two the files do not belong together.
    ensure!(runtime.block_on(namespaces(&client)).is_err(), "half of a pair is enough");
    fs::copy(text(&user, "client-key")?, home.join("user.key"))?;
    runtime.block_on(namespaces(&client)).context("the administrator's certificate")?;
    Ok(())
}

/// Asks for something that not everybody may read.
async fn namespaces(client: &Client) -> Result<()> {
    let request = http::Request::get("/api/v1/namespaces?limit=1").body(Vec::new())?;
    client.request::<Value>(request).await?;
    Ok(())
}

/// A kubeconfig that has its certificate in another directory, and what the user's was.
fn moved(from: &Path, to: &Path) -> Result<(std::path::PathBuf, Value)> {
    let mut config: Value = serde_json::from_slice(&fs::read(from)?)?;
    let user = config.pointer_mut("/users/0/user").context("no user")?;
    let now = json!({"client-certificate": "user.pem", "client-key": "user.key"});
    let before = std::mem::replace(user, now);
    let file = to.join("config");
    fs::write(&file, config.to_string())?;
    Ok((file, before))
}

fn text<'v>(value: &'v Value, key: &str) -> Result<&'v str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("no {key}"))
}
