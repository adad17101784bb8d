use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn pod(name: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  namespace: shop\n")
}

/// A folder and what was last read of it.
struct Folder {
    dir: TempDir,
    contents: Contents,
}

impl Folder {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), contents: Contents::default() }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn read(&mut self) -> (Vec<String>, Vec<String>) {
        self.contents.read_all(self.dir.path());
        let objects = self.contents.objects();
        let names = objects.pods.iter().map(|pod| pod.object.metadata.name.clone().unwrap()).collect();
        (names, objects.problems.iter().map(ToString::to_string).collect())
    }
}

#[test]
fn only_manifests_are_read_and_in_the_order_of_their_names() {
    let mut folder = Folder::new();
    folder.write("c.json", r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c"}}"#);
    folder.write("b.yml", pod("b"));
    folder.write("a.yaml", pod("a"));
    folder.write(".hidden.yaml", "x: [");
    folder.write("a.yaml~", "x: [");
    folder.write("notes.txt", "x: [");
    fs::create_dir(folder.dir.path().join("below")).unwrap();
    assert_eq!(folder.read(), (vec!["a".into(), "b".into(), "c".into()], vec![]));
}

#[test]
fn a_broken_file_keeps_its_own_last_good_content() {
    let mut folder = Folder::new();
    folder.write("a.yaml", pod("a"));
    folder.write("b.yaml", pod("b"));
    folder.read();
    folder.write("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: [x]\n");
    folder.write("b.yaml", pod("b2"));
    let (names, problems) = folder.read();
    assert_eq!(names, ["a", "b2"]);
    assert_eq!(problems, ["a.yaml:4: metadata.name: invalid type: sequence, expected a string"]);
    folder.write("a.yaml", pod("a2"));
    assert_eq!(folder.read(), (vec!["a2".into(), "b2".into()], vec![]));
}

#[test]
fn a_file_that_was_never_good_gives_nothing_but_its_problem() {
    let mut folder = Folder::new();
    folder.write("a.yaml", "a: [\n");
    let (names, problems) = folder.read();
    assert!(names.is_empty());
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("a.yaml:"), "{problems:?}");
}

#[test]
fn a_deleted_file_takes_its_objects_and_problems_with_it() {
    let mut folder = Folder::new();
    folder.write("a.yaml", pod("a"));
    folder.write("b.yaml", "x: [");
    folder.read();
    fs::remove_file(folder.dir.path().join("a.yaml")).unwrap();
    fs::remove_file(folder.dir.path().join("b.yaml")).unwrap();
    assert_eq!(folder.read(), (vec![], vec![]));
}

#[test]
fn the_first_of_two_same_objects_stays() {
    let mut folder = Folder::new();
    folder.write("b.yaml", pod("x"));
    folder.write("a.yaml", format!("{}---\n{}", pod("y"), pod("x")));
    let (names, problems) = folder.read();
    assert_eq!(names, ["y", "x"]);
    assert_eq!(problems, ["b.yaml:1: metadata.name: Pod shop/x is already defined at a.yaml:7, which stays in force"]);
    // The same name in another namespace is another object.
    folder.write("b.yaml", pod("x").replace("shop", "bank"));
    assert_eq!(folder.read(), (vec!["y".into(), "x".into(), "x".into()], vec![]));
}

#[test]
fn files_that_are_no_text_are_named_and_change_nothing() {
    let mut folder = Folder::new();
    let path = folder.dir.path().join("a.yaml");
    folder.write("a.yaml", pod("a"));
    folder.read();
    let large = vec![b'#'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1];
    for (bytes, expected) in [
        (&b"a: 1\nb: \xff\n"[..], "a.yaml:2: not UTF-8 text".to_owned()),
        (&large, format!("a.yaml: larger than {MAX_FILE_BYTES} bytes")),
    ] {
        folder.write("a.yaml", bytes);
        assert_eq!(folder.read(), (vec!["a".into()], vec![expected]));
    }
    fs::remove_file(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    assert_eq!(folder.read(), (vec!["a".into()], vec!["a.yaml: the link leads to a file that is not there".into()]));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(folder.read(), (vec!["a".into()], vec!["a.yaml: not a regular file".into()]));
}

/// Opening a FIFO in the ordinary way would wait for a writer for ever.
#[test]
fn a_fifo_does_not_stop_the_reader() {
    let mut folder = Folder::new();
    let status = std::process::Command::new("mkfifo").arg(folder.dir.path().join("a.yaml")).status().unwrap();
    assert!(status.success());
    assert_eq!(folder.read(), (vec![], vec!["a.yaml: not a regular file".into()]));
}

#[test]
fn a_name_with_control_characters_is_told_escaped() {
    let mut folder = Folder::new();
    folder.write("a\n.yaml", pod("a"));
    let (names, problems) = folder.read();
    assert!(names.is_empty());
    assert_eq!(problems, ["a\\n.yaml: not read: the file's name has bytes that are not UTF-8, or control characters"]);
}

#[test]
fn a_folder_that_cannot_be_listed_changes_nothing() {
    let mut folder = Folder::new();
    folder.write("a.yaml", pod("a"));
    folder.read();
    let gone = folder.dir.path().join("gone");
    assert!(folder.contents.read_all(&gone), "the problem is news");
    assert!(!folder.contents.read_all(&gone), "but only once");
    let objects = folder.contents.objects();
    assert_eq!(objects.pods.len(), 1);
    assert!(objects.problems[0].message.contains("No such file or directory"), "{:?}", objects.problems);
    assert_eq!(folder.read(), (vec!["a".into()], vec![]));
}

#[test]
fn reading_the_same_again_is_no_change() {
    let mut folder = Folder::new();
    folder.write("a.yaml", pod("a"));
    folder.write("b.yaml", "x: [");
    let path = folder.dir.path().to_owned();
    assert!(folder.contents.read_all(&path));
    assert!(!folder.contents.read_all(&path));
    folder.write("a.yaml", format!("# comment\n{}", pod("a")));
    assert!(folder.contents.read_one(&path, "a.yaml"), "the lines moved");
}
