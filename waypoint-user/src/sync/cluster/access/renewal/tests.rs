use std::{fs, path::PathBuf};

use super::files;
use crate::sync::cluster::Access;

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
