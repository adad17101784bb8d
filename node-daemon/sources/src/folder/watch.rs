//! When to look at the folder again: inotify events, gathered for a few milliseconds.
//!
//! Owns the inotify instance and which paths it watches; reads no file's content. Watched are
//! 1. the folder, for its files,
//! 2. its nearest ancestor that exists, for the folder itself being removed, created, or a link that is swapped,
//! 3. where files are links, what they lead to (a `ConfigMap` volume is a folder of links).
//!
//! Lost events (queue overflow) and anything unclear mean "look at everything": looking too often is only slow.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchDescriptor, WatchMask};
use tokio::time::Instant;

use super::contents::{is_manifest, usable};

/// After a finished write or a rename: programs write several files in a row.
const SETTLE: Duration = Duration::from_millis(5);
/// After a file vanished: editors move the old one away before they write the new one.
const VANISH: Duration = Duration::from_millis(50);
/// After a file was created, unless it is closed sooner: its writer is likely not done. It may never be closed (a hard
/// link, or an unnamed file that was given a name), hence not for ever.
const CREATE: Duration = Duration::from_millis(100);
/// Longest wait for a file that changes all the time.
const PATIENCE: Duration = Duration::from_millis(500);
/// Before a new inotify instance replaces a failed one.
const RETRY: Duration = Duration::from_secs(1);
/// Room for some dozens of events per read.
const BUFFER_BYTES: usize = 8192;

/// What may have changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Anything: list the folder again.
    pub all: bool,
    /// These files, by name.
    pub files: BTreeSet<String>,
}

/// Watches one folder.
#[derive(Debug)]
pub struct Watch {
    folder: PathBuf,
    stream: EventStream<Vec<u8>>,
    /// The folder, while it exists.
    folder_watch: Option<WatchDescriptor>,
    /// The nearest ancestor that exists, and the name in it that leads to the folder.
    ancestor_watch: Option<(WatchDescriptor, OsString)>,
    /// What links lead to, with the links' names.
    link_watches: HashMap<WatchDescriptor, BTreeSet<String>>,
    /// Changes not yet handed over. Kept here, not in a future, which may be dropped at any await.
    pending: Pending,
}

impl Watch {
    /// Prepares to watch; [`Watch::arm`] begins.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            stream: Inotify::init()?.into_event_stream(vec![0; BUFFER_BYTES])?,
            folder_watch: None,
            ancestor_watch: None,
            link_watches: HashMap::new(),
            pending: Pending::default(),
        })
    }

    /// Watches the folder as its path leads to it now. To be called before the folder is listed, at the start and after
    /// every [`Change::all`].
    pub fn arm(&mut self) {
        let mut watches = self.stream.watches();
        let ancestor = self.add_ancestor();
        if let Some((old, _)) = std::mem::replace(&mut self.ancestor_watch, ancestor)
            && self.ancestor_watch.as_ref().is_none_or(|(new, _)| *new != old)
        {
            // Fails when the kernel removed it already, with what it watched.
            let _ = watches.remove(old);
        }
        // After the ancestor: were both the same folder, the wider mask must win.
        let mask = WatchMask::CREATE
            | WatchMask::CLOSE_WRITE
            | WatchMask::MOVE
            | WatchMask::DELETE
            | WatchMask::ATTRIB
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        let folder = watches.add(&self.folder, mask).ok();
        if let Some(old) = std::mem::replace(&mut self.folder_watch, folder)
            && self.folder_watch.as_ref() != Some(&old)
        {
            let _ = watches.remove(old);
        }
    }

    fn add_ancestor(&self) -> Option<(WatchDescriptor, OsString)> {
        let mask = WatchMask::CREATE | WatchMask::MOVE | WatchMask::DELETE | WatchMask::ONLYDIR;
        let mut child = self.folder.as_path();
        while let (Some(parent), Some(name)) = (child.parent(), child.file_name()) {
            if let Ok(watch) = self.stream.watches().add(parent, mask) {
                if child != self.folder && child.exists() {
                    // It came into being between the two looks: begin again, closer to the folder.
                    let _ = self.stream.watches().remove(watch);
                    child = self.folder.as_path();
                    continue;
                }
                return Some((watch, name.to_owned()));
            }
            child = parent;
        }
        None
    }

    /// Watches what these files lead to, where they are links.
    pub fn follow_links<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mask = WatchMask::CLOSE_WRITE | WatchMask::ATTRIB | WatchMask::DELETE_SELF | WatchMask::MOVE_SELF;
        for name in names {
            let path = self.folder.join(name);
            let is_link = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
            // A link to a file of this folder is the folder's own event; a watch of it would only add to those.
            if is_link && let Ok(watch) = self.stream.watches().add(&path, mask) {
                self.link_watches.entry(watch).or_default().insert(name.to_owned());
            }
        }
    }

    /// Waits for the next change. Cancel safe.
    pub async fn next(&mut self) -> Change {
        loop {
            let event = match self.pending.due() {
                None => self.stream.next().await,
                Some(due) => match tokio::time::timeout_at(due, self.stream.next()).await {
                    Ok(event) => event,
                    Err(_elapsed) => return self.pending.take(Instant::now()),
                },
            };
            match event {
                Some(Ok(event)) => self.note(&event, Instant::now()),
                failed => {
                    tracing::warn!(error = ?failed, "Lost the watch on the folder of manifests, will retry");
                    tokio::time::sleep(RETRY).await;
                    self.renew();
                }
            }
        }
    }

    /// Starts over with a new inotify instance, which knows nothing of what happened meanwhile.
    fn renew(&mut self) {
        if let Ok(new) = Self::new(&self.folder) {
            *self = new;
            self.arm();
            self.pending.note_all(Instant::now());
        }
    }

    fn note(&mut self, event: &EventOwned, now: Instant) {
        let mask = event.mask;
        if mask.contains(EventMask::Q_OVERFLOW) {
            return self.pending.note_all(now);
        }
        if let Some((watch, name)) = &self.ancestor_watch
            && *watch == event.wd
            && (event.name.as_ref() == Some(name) || mask.contains(EventMask::IGNORED))
        {
            self.pending.note_all(now + SETTLE);
        }
        if self.folder_watch.as_ref() == Some(&event.wd) {
            self.note_in_folder(event, now);
        }
        let linked = if mask.contains(EventMask::IGNORED) {
            self.link_watches.remove(&event.wd)
        } else {
            self.link_watches.get(&event.wd).cloned()
        };
        for name in linked.into_iter().flatten() {
            self.pending.note_file(name, now, SETTLE);
        }
    }

    fn note_in_folder(&mut self, event: &EventOwned, now: Instant) {
        let Some(name) = event.name.as_ref() else {
            // The folder itself: removed, moved, unmounted, or its permissions changed.
            return self.pending.note_all(now + VANISH);
        };
        let Some(name) = name.to_str().filter(|name| is_manifest(name) && usable(name)) else {
            let concerns_links = !self.link_watches.is_empty();
            let unusable = is_manifest(&name.to_string_lossy());
            if concerns_links || unusable {
                self.pending.note_all(now + SETTLE);
            }
            return;
        };
        let wait = if event.mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM) {
            VANISH
        } else if event.mask.contains(EventMask::CREATE) && !self.folder.join(name).is_symlink() {
            CREATE
        } else {
            SETTLE
        };
        self.pending.note_file(name.to_owned(), now, wait);
    }
}

/// Changes not yet handed over, each with the moment from which it may be.
#[derive(Debug, Default)]
struct Pending {
    all: Option<Instant>,
    files: BTreeMap<String, Due>,
}

#[derive(Debug)]
struct Due {
    at: Instant,
    latest: Instant,
}

impl Pending {
    fn note_all(&mut self, at: Instant) {
        self.all = Some(self.all.map_or(at, |before| before.min(at)));
    }

    /// The newest event decides how long to wait, for it says best what the writer is at.
    fn note_file(&mut self, name: String, now: Instant, wait: Duration) {
        let due = self.files.entry(name).or_insert(Due { at: now, latest: now + PATIENCE });
        due.at = due.latest.min(now + wait);
    }

    /// When the next change may be handed over.
    fn due(&self) -> Option<Instant> {
        self.files.values().map(|due| due.at).chain(self.all).min()
    }

    /// Everything that is due.
    fn take(&mut self, now: Instant) -> Change {
        if self.all.is_some_and(|at| at <= now) {
            *self = Self::default();
            return Change { all: true, files: BTreeSet::new() };
        }
        let files = self.files.extract_if(.., |_, due| due.at <= now).map(|(name, _)| name).collect();
        Change { all: false, files }
    }
}

#[cfg(test)]
mod tests;
