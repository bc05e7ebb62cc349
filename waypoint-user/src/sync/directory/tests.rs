use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::*;
use crate::mesh::object::ObjectName;

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp");
        let path = target.join(format!("manifests-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, ip: &str) {
        fs::write(self.0.join(name), service(ip)).unwrap();
    }

    fn watch(&self) -> (Feed, CancellationToken) {
        let shutdown = CancellationToken::new();
        let feed = watch(&Place::new(&self.0), Settings::new(&self.0), shutdown.clone()).unwrap();
        (feed, shutdown)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn service(ip: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: n}}\n\
         spec: {{clusterIPs: [\"{ip}\"], ports: [{{port: 80}}]}}\n"
    )
}

/// The address of the Service, if it is there.
fn vip(feed: &Feed) -> Option<String> {
    let snapshot = feed.snapshots.borrow().clone();
    let service = snapshot.services().get(&ObjectName::new("n", "s"))?;
    service.vips.first().map(ToString::to_string)
}

/// Waits until the Service has this address, or is not there.
async fn becomes(feed: &Feed, expected: Option<&str>) -> Duration {
    let mut snapshots = feed.snapshots.clone();
    let begin = Instant::now();
    let wait = async {
        while vip(feed).as_deref() != expected {
            snapshots.changed().await.unwrap();
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(5), wait).await;
    assert!(in_time.is_ok(), "still {:?}, not {expected:?}", vip(feed));
    begin.elapsed()
}

/// Waits until a finding with this reason is there, or is gone.
async fn told(feed: &Feed, reason: &str, expected: bool) {
    let mut reports = feed.reports.clone();
    let has = || feed.reports.borrow().iter().any(|(_, finding)| finding.reason == reason);
    let wait = async {
        while has() != expected {
            reports.changed().await.unwrap();
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(5), wait).await;
    assert!(in_time.is_ok(), "{reason}: not {expected}: {:?}", feed.reports.borrow());
}

#[test]
fn a_missing_directory_is_an_error_that_names_it() {
    let (absent, settings) = (Place::new("/nowhere/at/all"), Settings::new("/nowhere/at/all"));
    let error = read(&absent, &settings).unwrap_err().to_string();
    assert!(error.starts_with("manifest directory /nowhere/at/all: No such file"), "{error}");
    let error = watch(&absent, settings, CancellationToken::new()).unwrap_err().to_string();
    assert!(error.starts_with("manifest directory /nowhere/at/all: No such file"), "{error}");
}

#[tokio::test]
async fn a_write_is_published_within_100_ms() {
    let place = Scratch::new("write");
    place.write("a.yaml", "10.0.0.1");
    let (feed, _shutdown) = place.watch();
    assert_eq!(vip(&feed).as_deref(), Some("10.0.0.1"), "the first Snapshot is there at once");
    let mut fastest = Duration::MAX;
    for round in 2..7 {
        let ip = format!("10.0.0.{round}");
        place.write("a.yaml", &ip);
        fastest = fastest.min(becomes(&feed, Some(&ip)).await);
    }
    // The fastest of several: other tests share the processors.
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}

#[tokio::test]
async fn a_file_that_is_renamed_into_place_counts_and_one_that_is_removed_does_not() {
    let place = Scratch::new("rename");
    let (feed, _shutdown) = place.watch();
    assert_eq!(vip(&feed), None);
    place.write(".a.yaml.swp", "10.0.0.1");
    fs::rename(place.0.join(".a.yaml.swp"), place.0.join("a.yaml")).unwrap();
    becomes(&feed, Some("10.0.0.1")).await;
    fs::rename(place.0.join("a.yaml"), place.0.join("a.yaml.bak")).unwrap();
    becomes(&feed, None).await;
    fs::hard_link(place.0.join("a.yaml.bak"), place.0.join("b.yaml")).unwrap();
    becomes(&feed, Some("10.0.0.1")).await;
    fs::remove_file(place.0.join("b.yaml")).unwrap();
    becomes(&feed, None).await;
}

#[tokio::test]
async fn a_broken_file_is_told_and_its_objects_stay() {
    let place = Scratch::new("broken");
    place.write("a.yaml", "10.0.0.1");
    let (feed, _shutdown) = place.watch();
    fs::write(place.0.join("a.yaml"), "kind: [").unwrap();
    told(&feed, "Malformed", true).await;
    assert_eq!(vip(&feed).as_deref(), Some("10.0.0.1"));
    place.write("a.yaml", "10.0.0.2");
    becomes(&feed, Some("10.0.0.2")).await;
    told(&feed, "Malformed", false).await;
}

#[tokio::test]
async fn a_change_without_effect_is_not_published() {
    let place = Scratch::new("same");
    place.write("a.yaml", "10.0.0.1");
    let (feed, _shutdown) = place.watch();
    let first = feed.snapshots.borrow().clone();
    fs::write(place.0.join("a.yaml"), format!("# a comment\n{}", service("10.0.0.1"))).unwrap();
    fs::write(place.0.join("b.yaml"), "apiVersion: v1\nkind: Secret\nmetadata: {name: x}").unwrap();
    told(&feed, "Ignored", true).await;
    assert!(Arc::ptr_eq(&first, &feed.snapshots.borrow()));
}

#[tokio::test]
async fn a_mounted_configmap_is_followed_through_its_links() {
    let place = Scratch::new("configmap");
    for (version, ip) in [("..1", "10.0.0.1"), ("..2", "10.0.0.2")] {
        fs::create_dir(place.0.join(version)).unwrap();
        fs::write(place.0.join(version).join("a.yaml"), service(ip)).unwrap();
    }
    symlink("..1", place.0.join("..data")).unwrap();
    symlink("..data/a.yaml", place.0.join("a.yaml")).unwrap();
    let (feed, _shutdown) = place.watch();
    assert_eq!(vip(&feed).as_deref(), Some("10.0.0.1"));
    symlink("..2", place.0.join("..data_tmp")).unwrap();
    fs::rename(place.0.join("..data_tmp"), place.0.join("..data")).unwrap();
    becomes(&feed, Some("10.0.0.2")).await;
}

#[tokio::test]
async fn a_directory_that_vanishes_leaves_the_last_good_state_until_it_is_back() {
    let place = Scratch::new("vanish");
    let inner = Scratch(place.0.join("manifests"));
    fs::create_dir(&inner.0).unwrap();
    inner.write("a.yaml", "10.0.0.1");
    let (feed, _shutdown) = inner.watch();
    fs::rename(&inner.0, place.0.join("away")).unwrap();
    told(&feed, "Unreadable", true).await;
    assert_eq!(vip(&feed).as_deref(), Some("10.0.0.1"));
    fs::create_dir(&inner.0).unwrap();
    inner.write("a.yaml", "10.0.0.2");
    becomes(&feed, Some("10.0.0.2")).await;
    told(&feed, "Unreadable", false).await;
    inner.write("a.yaml", "10.0.0.3");
    becomes(&feed, Some("10.0.0.3")).await;
}

#[tokio::test]
async fn shutdown_ends_the_follower() {
    let place = Scratch::new("shutdown");
    let (feed, shutdown) = place.watch();
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), feed.follower).await.unwrap().unwrap();
}

#[test]
fn pipes_large_files_and_subdirectories_do_not_stop_the_rest() {
    let place = Scratch::new("odd");
    place.write("a.yaml", "10.0.0.1");
    let large = fs::File::create(place.0.join("large.yaml")).unwrap();
    large.set_len(64 * 1024 * 1024).unwrap();
    fs::create_dir(place.0.join("directory.yaml")).unwrap();
    symlink("nowhere", place.0.join("dangling.yaml")).unwrap();
    symlink("/dev/zero", place.0.join("endless.yaml")).unwrap();
    let (snapshot, report) =
        read(&Place::new(&place.0), &Settings::new(Path::new(&place.0))).unwrap();
    assert_eq!(snapshot.services().len(), 1);
    let told: Vec<_> = report
        .iter()
        .map(|(object, finding)| (object.name.name.clone(), finding.reason.clone()))
        .filter(|(name, _)| name != "s")
        .collect();
    let expected = [("dangling.yaml", "Unreadable"), ("endless.yaml", "Unreadable")]
        .into_iter()
        .chain([("large.yaml", "TooLarge")])
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()));
    assert_eq!(told, expected.collect::<Vec<_>>());
}
