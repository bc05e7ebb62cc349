use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use tokio::time::timeout;

use super::{Renewed, Way, files};
use crate::{sync::cluster::Access, telemetry::task};

/// A directory of the test's own.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("renewal-{name}-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn whatever_a_kubeconfig_names_is_looked_at() {
    let home = directory("named");
    let config = home.join("config");
    let text = r#"{
        "clusters": [{"name": "c", "cluster": {
            "server": "https://192.0.2.1", "certificate-authority": "root.pem"
        }}],
        "users": [{"name": "u", "user": {"client-certificate": "u.pem", "client-key": "u.key"}}]
    }"#;
    fs::write(&config, text).unwrap();
    fs::write(home.join("u.pem"), "one").unwrap();
    let access = Access { kubeconfig: Some(config.clone()), context: None };
    let before = files(&access);
    let names: Vec<_> = before.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(names, ["config", "u.pem", "u.key", "root.pem"].map(|name| home.join(name)));

    fs::write(home.join("u.pem"), "another").unwrap();
    let exchanged = files(&access);
    assert_ne!(before, exchanged);
    fs::write(home.join("u.key"), "which was not there").unwrap();
    assert_ne!(exchanged, files(&access));
    fs::remove_dir_all(home).unwrap();
}

/// A kubeconfig whose client works in this namespace, for a user of this kind.
fn kubeconfig(namespace: &str, user: &str) -> String {
    format!(
        r#"{{
            "clusters": [{{"name": "c", "cluster": {{"server": "http://192.0.2.1"}}}}],
            "contexts": [{{"name": "x", "context": {{
                "cluster": "c", "user": "u", "namespace": "{namespace}"
            }}}}],
            "users": [{{"name": "u", "user": {user}}}],
            "current-context": "x"
        }}"#
    )
}

async fn renewed(config: &Path) -> Renewed {
    let access = Access { kubeconfig: Some(config.to_owned()), context: None };
    Renewed::new(Way { access, retries: false }).await.unwrap()
}

async fn namespace(renewed: &Renewed) -> String {
    renewed.client().await.default_namespace().to_owned()
}

#[tokio::test]
async fn a_kubeconfig_that_changes_is_read_again_and_one_without_sense_is_not() {
    let home = directory("again");
    let config = home.join("config");
    fs::write(&config, kubeconfig("first", TOKEN)).unwrap();
    let renewed = renewed(&config).await;
    assert_eq!(namespace(&renewed).await, "first");
    for (text, expected) in [
        (kubeconfig("second", TOKEN), "second"),
        ("no kubeconfig".to_owned(), "second"),
        (kubeconfig("the-third", TOKEN), "the-third"),
    ] {
        fs::write(&config, &text).unwrap();
        for _ in 0..2 {
            assert_eq!(namespace(&renewed).await, expected, "{text}");
        }
    }
    fs::remove_dir_all(home).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_it_is_read_in_vain_is_read_once_more_and_nobody_waits_for_it() {
    let home = directory("overtaken");
    let (config, pipe) = (home.join("config"), home.join("pipe"));
    fs::write(&config, kubeconfig("first", TOKEN)).unwrap();
    let renewed = Arc::new(renewed(&config).await);
    // A certificate that is read for as long as the test likes, and then is none.
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(home.join("key"), "no key").unwrap();
    let user = r#"{"client-certificate": "pipe", "client-key": "key"}"#;
    fs::write(&config, kubeconfig("slow", user)).unwrap();
    let reading = task::spawn("reading", {
        let renewed = Arc::clone(&renewed);
        async move { namespace(&renewed).await }
    });
    // This waits for a reader.
    let open = move || fs::File::options().write(true).open(pipe).unwrap();
    let writing = tokio::task::spawn_blocking(open).await.unwrap();
    assert_eq!(timeout(SOON, namespace(&renewed)).await.unwrap(), "first");
    fs::write(&config, kubeconfig("good", TOKEN)).unwrap();
    drop(writing);
    assert_eq!(timeout(SOON, reading).await.unwrap().unwrap(), "first");
    assert_eq!(namespace(&renewed).await, "good");
    fs::remove_dir_all(home).unwrap();
}

/// A user who proves itself by a token.
const TOKEN: &str = r#"{"token": "a"}"#;
const SOON: Duration = Duration::from_secs(10);
