//! Files of a file system that is mounted nowhere: the system's mount of it may be absent, or not be in this mount namespace (a
//! container sees neither tracefs nor securityfs). Wants CAP_SYS_ADMIN, and Linux 5.2.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// The text of the file at `path` in the file system of this name.
pub fn read(filesystem: &str, path: &str) -> io::Result<String> {
    let context = fsopen(filesystem, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let mut text = String::new();
    File::from(openat(root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?).read_to_string(&mut text)?;
    Ok(text)
}
