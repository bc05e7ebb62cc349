use std::collections::BTreeMap;
use std::io::Read;

use super::*;

#[test]
fn the_same_files_give_the_same_image() {
    assert_eq!(image("a").archive().unwrap(), image("a").archive().unwrap());
    assert_ne!(image("a").archive().unwrap().1, image("b").archive().unwrap().1);
}

#[test]
fn importing_names_the_image() {
    let files = files(&image("a"));
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let annotations = &index["manifests"][0]["annotations"];
    assert_eq!(annotations["io.containerd.image.name"], "waypoint.dev/thing:1.2.3");
}

#[test]
fn every_blob_is_what_its_digest_says_and_the_layer_is_what_the_config_says() {
    let files = files(&image("a"));
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let manifest: Value = serde_json::from_slice(blob(&files, &index["manifests"][0])).unwrap();
    let config: Value = serde_json::from_slice(blob(&files, &manifest["config"])).unwrap();
    let layer = &manifest["layers"][0];
    assert_eq!(config["rootfs"]["diff_ids"][0], layer["digest"]);
    assert_eq!(config["config"]["Entrypoint"], json!(["/thing", "run"]));
    assert!(!blob(&files, layer).is_empty());
}

fn image(content: &str) -> Image {
    let mut layer = Layer::default();
    layer.file("/thing", 0o755, content.as_bytes().to_vec());
    Image {
        name: "waypoint.dev/thing:1.2.3".to_owned(),
        entry_point: &["/thing", "run"],
        title: "A thing",
        version: "1.2.3",
        layer,
    }
}

fn files(image: &Image) -> BTreeMap<String, Vec<u8>> {
    let (archive, _) = image.archive().unwrap();
    let mut archive = tar::Archive::new(archive.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (path, bytes)
    });
    entries.collect()
}

/// The bytes of a descriptor, after comparing them with it.
fn blob<'f>(files: &'f BTreeMap<String, Vec<u8>>, descriptor: &Value) -> &'f [u8] {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = &files[&format!("blobs/sha256/{digest}")];
    let own = hex(&Sha256::digest(bytes));
    assert_eq!((own.as_str(), json!(bytes.len())), (digest, descriptor["size"].clone()));
    bytes
}
