//! What becomes due when. What comes of it is tested with real files, by the folder's tests.

use std::fs::File;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn files(names: &[&str]) -> Change {
    Change { all: false, files: names.iter().map(|name| (*name).to_owned()).collect() }
}

#[tokio::test]
async fn files_become_due_one_by_one() {
    let start = Instant::now();
    let mut pending = Pending::default();
    assert_eq!(pending.due(), None);
    pending.note_file("a".to_owned(), start, SETTLE);
    pending.note_file("b".to_owned(), start, VANISH);
    assert_eq!(pending.due(), Some(start + SETTLE));
    assert_eq!(pending.take(start + SETTLE), files(&["a"]));
    assert_eq!(pending.due(), Some(start + VANISH));
    assert_eq!(pending.take(start + VANISH), files(&["b"]));
    assert_eq!(pending.due(), None);
}

#[tokio::test]
async fn a_finished_write_ends_the_wait_after_a_creation() {
    let start = Instant::now();
    let mut pending = Pending::default();
    pending.note_file("a".to_owned(), start, VANISH);
    pending.note_file("a".to_owned(), start, CREATE);
    assert_eq!(pending.due(), Some(start + CREATE));
    pending.note_file("a".to_owned(), start, SETTLE);
    assert_eq!(pending.due(), Some(start + SETTLE));
}

#[tokio::test]
async fn a_file_that_never_rests_is_read_all_the_same() {
    let start = Instant::now();
    let mut pending = Pending::default();
    for milliseconds in 0..1000 {
        pending.note_file("a".to_owned(), start + Duration::from_millis(milliseconds), SETTLE);
    }
    assert_eq!(pending.due(), Some(start + PATIENCE));
}

#[tokio::test]
async fn everything_includes_each_file() {
    let start = Instant::now();
    let mut pending = Pending::default();
    pending.note_file("a".to_owned(), start, CREATE);
    pending.note_all(start + SETTLE);
    pending.note_all(start + VANISH);
    assert_eq!(pending.take(start + SETTLE), Change { all: true, files: BTreeSet::new() });
    assert_eq!(pending.due(), None);
}

/// An editor moves the old file away and then writes the new one: nobody may see the moment between as a deletion, nor
/// the half-written file as a change.
#[tokio::test]
async fn each_event_waits_for_as_long_as_its_writer_may_need() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.yaml");
    let open_files = std::cell::RefCell::new(Vec::new());
    let steps: [(&str, Duration, &dyn Fn()); 6] = [
        ("created", CREATE, &|| open_files.borrow_mut().push(File::create(&path).unwrap())),
        ("closed", SETTLE, &|| open_files.borrow_mut().clear()),
        ("written again", SETTLE, &|| fs::write(&path, "# again").unwrap()),
        ("moved away", VANISH, &|| fs::rename(&path, dir.path().join("draft")).unwrap()),
        ("linked", SETTLE, &|| symlink("draft", &path).unwrap()),
        ("removed", VANISH, &|| fs::remove_file(&path).unwrap()),
    ];
    let mut watch = Watch::new(dir.path()).unwrap();
    watch.arm();
    for (what, wait, step) in steps {
        step();
        watch.pending = Pending::default();
        let now = Instant::now();
        while watch.pending.files.is_empty() {
            let event = tokio::time::timeout(Duration::from_secs(10), watch.stream.next()).await;
            watch.note(&event.unwrap_or_else(|_| panic!("no event for {what}")).unwrap().unwrap(), now);
        }
        assert_eq!(watch.pending.due(), Some(now + wait), "{what}");
    }
}
