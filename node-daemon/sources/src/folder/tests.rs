//! Real files and real inotify. Each wait is for a condition, with a deadline.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

fn pods(names: &[&str]) -> String {
    let pod = |name: &&str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n---\n");
    names.iter().map(pod).collect()
}

fn names(objects: &Objects) -> Vec<&str> {
    objects.pods.iter().map(|pod| pod.object.metadata.name.as_deref().unwrap()).collect()
}

/// Waits until the folder's state meets the condition, and says what it was if it never does.
async fn wait_until(folder: &mut ManifestFolder, condition: impl Fn(&Objects) -> bool) -> Objects {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let mut objects = folder.objects();
    while !condition(&objects) {
        objects = tokio::time::timeout_at(deadline, folder.changed())
            .await
            .unwrap_or_else(|_| panic!("not within {DEADLINE:?}; last state: {objects:#?}"));
    }
    objects
}

async fn wait_for_pods(folder: &mut ManifestFolder, expected: &[&str]) -> Objects {
    wait_until(folder, |objects| names(objects) == expected).await
}

#[tokio::test]
async fn files_that_appear_change_and_go_take_effect() {
    let dir = TempDir::new().unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    assert_eq!(folder.objects(), Objects::default());
    let file = dir.path().join("a.yaml");
    fs::write(&file, pods(&["a"])).unwrap();
    wait_for_pods(&mut folder, &["a"]).await;
    fs::write(&file, pods(&["b", "c"])).unwrap();
    wait_for_pods(&mut folder, &["b", "c"]).await;
    fs::write(dir.path().join("new"), pods(&["d"])).unwrap();
    fs::rename(dir.path().join("new"), &file).unwrap();
    wait_for_pods(&mut folder, &["d"]).await;
    fs::remove_file(&file).unwrap();
    wait_for_pods(&mut folder, &[]).await;
}

#[tokio::test]
async fn a_broken_file_is_told_and_the_last_good_state_stays() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a.yaml");
    fs::write(&file, pods(&["a"])).unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    fs::write(&file, "kind: [\n").unwrap();
    let objects = wait_until(&mut folder, |objects| !objects.problems.is_empty()).await;
    assert_eq!(names(&objects), ["a"]);
    fs::write(&file, pods(&["a"])).unwrap();
    let objects = wait_until(&mut folder, |objects| objects.problems.is_empty()).await;
    assert_eq!(names(&objects), ["a"]);
}

/// What a reader in the middle of a write would see must not take effect.
#[tokio::test]
async fn a_file_that_is_being_written_is_not_read_before_it_is_closed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.yaml");
    fs::write(&path, pods(&["a"])).unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(pods(&["half"]).as_bytes()).unwrap();
    file.flush().unwrap();
    // Another file proves that the watch was served meanwhile.
    fs::write(dir.path().join("b.yaml"), pods(&["b"])).unwrap();
    wait_for_pods(&mut folder, &["a", "b"]).await;
    file.write_all(pods(&["whole"]).as_bytes()).unwrap();
    drop(file);
    wait_for_pods(&mut folder, &["half", "whole", "b"]).await;
}

#[tokio::test]
async fn a_file_that_is_linked_into_place_takes_effect() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("draft"), pods(&["a"])).unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    fs::hard_link(dir.path().join("draft"), dir.path().join("a.yaml")).unwrap();
    wait_for_pods(&mut folder, &["a"]).await;
}

/// As the kubelet updates a `ConfigMap` volume: files are links through `..data`, which is a link that is replaced.
#[tokio::test]
async fn a_config_map_volume_is_followed() {
    let dir = TempDir::new().unwrap();
    let version = |name: &str, pod: &str| {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("a.yaml"), pods(&[pod])).unwrap();
        symlink(name, dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
    };
    version("..1", "one");
    symlink("..data/a.yaml", dir.path().join("a.yaml")).unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    assert_eq!(names(&folder.objects()), ["one"]);
    for (old, new, pod) in [("..1", "..2", "two"), ("..2", "..3", "three")] {
        version(new, pod);
        fs::remove_dir_all(dir.path().join(old)).unwrap();
        wait_for_pods(&mut folder, &[pod]).await;
    }
}

#[tokio::test]
async fn what_a_link_leads_to_may_change_elsewhere() {
    let elsewhere = TempDir::new().unwrap();
    let target = elsewhere.path().join("target");
    fs::write(&target, pods(&["a"])).unwrap();
    let dir = TempDir::new().unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    symlink(&target, dir.path().join("a.yaml")).unwrap();
    wait_for_pods(&mut folder, &["a"]).await;
    fs::write(&target, pods(&["b"])).unwrap();
    wait_for_pods(&mut folder, &["b"]).await;
    // Replaced, twice: the second only shows if the replacement is watched as well.
    for pod in ["c", "d"] {
        fs::write(elsewhere.path().join("new"), pods(&[pod])).unwrap();
        fs::rename(elsewhere.path().join("new"), &target).unwrap();
        wait_for_pods(&mut folder, &[pod]).await;
    }
}

#[tokio::test]
async fn a_folder_that_vanishes_is_told_and_watched_again_when_it_is_back() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("x/y/manifests");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("a.yaml"), pods(&["a"])).unwrap();
    let mut folder = ManifestFolder::open(&dir).unwrap();
    for (removed, pod) in [("x/y/manifests", "b"), ("x", "c")] {
        fs::remove_dir_all(parent.path().join(removed)).unwrap();
        let told = |objects: &Objects| objects.problems.iter().any(|p| p.message.contains("cannot be read"));
        wait_until(&mut folder, told).await;
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.yaml"), pods(&[pod])).unwrap();
        let objects = wait_for_pods(&mut folder, &[pod]).await;
        assert_eq!(objects.problems, []);
    }
    fs::write(dir.join("b.yaml"), pods(&["z"])).unwrap();
    wait_for_pods(&mut folder, &["c", "z"]).await;
}

#[tokio::test]
async fn a_folder_that_is_a_link_may_be_swapped() {
    let parent = TempDir::new().unwrap();
    for (name, pod) in [("one", "a"), ("two", "b")] {
        fs::create_dir(parent.path().join(name)).unwrap();
        fs::write(parent.path().join(name).join("a.yaml"), pods(&[pod])).unwrap();
    }
    let link = parent.path().join("current");
    symlink("one", &link).unwrap();
    let mut folder = ManifestFolder::open(&link).unwrap();
    assert_eq!(names(&folder.objects()), ["a"]);
    symlink("two", parent.path().join("next")).unwrap();
    fs::rename(parent.path().join("next"), &link).unwrap();
    wait_for_pods(&mut folder, &["b"]).await;
    fs::write(parent.path().join("two/a.yaml"), pods(&["c"])).unwrap();
    wait_for_pods(&mut folder, &["c"]).await;
}

#[tokio::test]
async fn hundreds_of_files_come_and_go() {
    let dir = TempDir::new().unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    let all: Vec<_> = (0..300).map(|n| format!("p{n:03}")).collect();
    for name in &all {
        fs::write(dir.path().join(format!("{name}.yaml")), pods(&[name])).unwrap();
    }
    wait_until(&mut folder, |objects| names(objects) == all).await;
    for name in &all {
        fs::remove_file(dir.path().join(format!("{name}.yaml"))).unwrap();
    }
    wait_for_pods(&mut folder, &[]).await;
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_no_change() {
    let dir = TempDir::new().unwrap();
    let mut folder = ManifestFolder::open(dir.path()).unwrap();
    fs::write(dir.path().join("a.yaml"), pods(&["a"])).unwrap();
    let deadline = std::time::Instant::now() + DEADLINE;
    // Each wait is too short to see the change through.
    while names(&folder.objects()).is_empty() {
        assert!(std::time::Instant::now() < deadline, "the change was lost");
        let _ = tokio::time::timeout(Duration::from_millis(1), folder.changed()).await;
    }
    assert_eq!(names(&folder.objects()), ["a"]);
}

#[tokio::test]
async fn a_mistyped_folder_is_an_error_at_start() {
    let dir = TempDir::new().unwrap();
    let error = ManifestFolder::open(dir.path().join("nowhere")).unwrap_err();
    assert!(error.to_string().ends_with("/nowhere"), "{error}");
    fs::write(dir.path().join("file"), "").unwrap();
    ManifestFolder::open(dir.path().join("file")).unwrap_err();
}
