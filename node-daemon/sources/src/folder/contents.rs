//! What the files of a folder hold: the last good content of each, and what is wrong with the present one.
//!
//! Files are read whole or not at all. A file that is broken, unreadable or too large keeps its last good content; a
//! file that is gone takes its objects with it. The bytes are not trusted: size, encoding and kind of file are checked.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use meshaccel_model::{Objects, Problem};

use crate::object::{self, Object};

/// Largest file that is read, 4 MiB: some thousand pods.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// All files of the folder, by name.
#[derive(Debug, Default)]
pub struct Contents {
    files: BTreeMap<String, FileContent>,
    /// What is wrong with the folder itself, or with names in it.
    folder_problems: Vec<Problem>,
}

#[derive(Debug, Default, PartialEq)]
struct FileContent {
    /// As last read without a fault.
    objects: Vec<Object>,
    /// What is wrong with the file as it is now; empty: `objects` is what it holds now.
    problems: Vec<Problem>,
}

/// Why a file gives no text.
struct Unreadable {
    line: Option<u64>,
    message: String,
}

impl Contents {
    /// Reads every manifest again. True when anything differs from before. A folder that cannot be listed is a problem
    /// and changes nothing else.
    pub fn read_all(&mut self, folder: &Path) -> bool {
        let before = std::mem::take(&mut self.folder_problems);
        let mut differs = false;
        match list(folder) {
            Ok((names, problems)) => {
                let count = self.files.len();
                self.files.retain(|name, _| names.contains(name));
                differs |= self.files.len() != count;
                for name in &names {
                    differs |= self.read_one(folder, name);
                }
                self.folder_problems = problems;
            }
            Err(error) => {
                let message = format!("the folder cannot be read ({error}); its last good content stays in force");
                self.folder_problems = vec![problem(&folder.display().to_string(), None, message)];
            }
        }
        differs || before != self.folder_problems
    }

    /// Reads one manifest again. True when it differs from before.
    pub fn read_one(&mut self, folder: &Path, name: &str) -> bool {
        let problems = match read_text(&folder.join(name)) {
            // Only when the name itself is gone: a link that leads nowhere is a fault, not a deletion.
            Ok(None) => return self.files.remove(name).is_some(),
            Ok(Some(text)) => match object::read(name, &text) {
                Ok(objects) => {
                    let now = FileContent { objects, problems: Vec::new() };
                    let differs = self.files.get(name) != Some(&now);
                    self.files.insert(name.to_owned(), now);
                    return differs;
                }
                Err(problems) => problems,
            },
            Err(Unreadable { line, message }) => vec![problem(name, line, message)],
        };
        let file = self.files.entry(name.to_owned()).or_default();
        let differs = file.problems != problems;
        file.problems = problems;
        differs
    }

    /// Names of all files that are known, good or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Everything that is in force, and everything that is wrong.
    pub fn objects(&self) -> Objects {
        let mut all = Objects { problems: self.folder_problems.clone(), ..Objects::default() };
        let mut places: HashMap<String, String> = HashMap::new();
        for (name, file) in &self.files {
            all.problems.extend(file.problems.iter().cloned());
            for object in &file.objects {
                let title = object.title();
                let line = object.line();
                if let Some(first) = places.get(&title) {
                    let message = format!("{title} is already defined at {first}, which stays in force");
                    let field = Some("metadata.name".to_owned());
                    all.problems.push(Problem { field, object: Some(title), ..problem(name, line, message) });
                    continue;
                }
                places.insert(title, line.map_or_else(|| name.clone(), |line| format!("{name}:{line}")));
                match object.clone() {
                    Object::Acceleration(acceleration) => all.accelerations.push(acceleration),
                    Object::Namespace(namespace) => all.namespaces.push(namespace),
                    Object::Pod(pod) => all.pods.push(pod),
                }
            }
        }
        all
    }
}

/// Whether a file of this name is a manifest. Hidden ones are editors' and `ConfigMap` volumes' own.
pub fn is_manifest(name: &str) -> bool {
    !name.starts_with('.') && [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending))
}

/// Names of all manifests, and a problem for each name that cannot be used.
fn list(folder: &Path) -> io::Result<(Vec<String>, Vec<Problem>)> {
    let mut names = Vec::new();
    let mut problems = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let lossy = name.to_string_lossy();
        if !is_manifest(&lossy) {
            continue;
        }
        match name.to_str().filter(|name| usable(name)) {
            Some(name) => names.push(name.to_owned()),
            None => problems.push(problem(
                &lossy.escape_debug().to_string(),
                None,
                "not read: the file's name has bytes that are not UTF-8, or control characters".to_owned(),
            )),
        }
    }
    names.sort();
    problems.sort();
    Ok((names, problems))
}

/// Whether a name can stand in a log line.
pub fn usable(name: &str) -> bool {
    !name.chars().any(char::is_control)
}

/// A file's text; None when there is no such name.
fn read_text(path: &Path) -> Result<Option<String>, Unreadable> {
    let unreadable = |message: String| Unreadable { line: None, message };
    // Not blocking: opening a FIFO would wait for a writer.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => Err(unreadable("the link leads to a file that is not there".to_owned())),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(unreadable(format!("cannot be opened: {error}"))),
    };
    let metadata = file.metadata().map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    if !metadata.is_file() {
        return Err(unreadable("not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a larger file from one of exactly that size, whatever its metadata said.
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(unreadable(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = good.filter(|byte| **byte == b'\n').count() as u64 + 1;
        Unreadable { line: Some(line), message: "not UTF-8 text".to_owned() }
    })
}

fn problem(file: &str, line: Option<u64>, message: String) -> Problem {
    Problem { file: file.to_owned(), line, field: None, object: None, message }
}

#[cfg(test)]
mod tests;
