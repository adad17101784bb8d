//! Programs, maps and links that exist in the kernel, and whose they are.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Attr, call, call_for_fd, put};

/// What kind of kernel object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Program,
    Map,
    Link,
}

/// One kernel object. Ids are given in ascending order and come round only after two thousand million.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    pub kind: Kind,
    pub id: u32,
    /// Of a link: its program's name.
    pub name: String,
}

/// A set of kernel objects.
pub type Objects = BTreeSet<Object>;

impl Object {
    /// Every object of the machine whose name begins with `prefix`; links by their program's name.
    pub fn all(prefix: &str) -> Result<Objects> {
        let mut objects = Objects::new();
        for kind in [Kind::Program, Kind::Map, Kind::Link] {
            let mut id = 0;
            while let Some(next) = kind.next_id(id)? {
                id = next;
                // Gone between the two calls: not there.
                if let Some(object) = Self::of_id(kind, id)?.filter(|object| object.name.starts_with(prefix)) {
                    objects.insert(object);
                }
            }
        }
        Ok(objects)
    }

    /// The object of that id, if it exists.
    pub fn of_id(kind: Kind, id: u32) -> Result<Option<Self>> {
        match kind.open(id) {
            Ok(fd) => Self::of_fd(kind, &fd).map(Some),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot open {kind:?} {id}")),
        }
    }

    fn of_fd(kind: Kind, fd: &OwnedFd) -> Result<Self> {
        let info = information(fd)?;
        let word = |offset| word(&info, offset);
        match kind {
            // struct bpf_prog_info: type, id, tag[8], lengths, instructions, load_time, uid, nr_map_ids, map_ids, name
            Kind::Program => Ok(Self { kind, id: word(4), name: text(&info[64..80]) }),
            // struct bpf_map_info: type, id, key_size, value_size, max_entries, map_flags, name
            Kind::Map => Ok(Self { kind, id: word(4), name: text(&info[24..40]) }),
            // struct bpf_link_info: type, id, prog_id
            Kind::Link => {
                let name = Self::of_id(Kind::Program, word(8))?.map(|program| program.name).unwrap_or_default();
                Ok(Self { kind, id: word(4), name })
            }
        }
    }

    /// The program that a link attaches.
    fn program(&self) -> Result<Option<Self>> {
        if self.kind != Kind::Link {
            return Ok(None);
        }
        let Ok(fd) = self.kind.open(self.id) else { return Ok(None) };
        let info = information(&fd)?;
        Self::of_id(Kind::Program, word(&info, 8))
    }

    pub fn still_exists(&self) -> Result<bool> {
        Ok(Self::of_id(self.kind, self.id)?.is_some())
    }
}

impl Kind {
    fn next_id(self, id: u32) -> Result<Option<u32>> {
        let command = match self {
            Self::Program => super::PROG_GET_NEXT_ID,
            Self::Map => super::MAP_GET_NEXT_ID,
            Self::Link => super::LINK_GET_NEXT_ID,
        };
        let mut attr: Attr = [0; 128];
        put(&mut attr, 0, &id.to_ne_bytes());
        match call(command, &mut attr) {
            Ok(_) => Ok(Some(u32::from_ne_bytes([attr[4], attr[5], attr[6], attr[7]]))),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot list {self:?}s")),
        }
    }

    fn open(self, id: u32) -> io::Result<OwnedFd> {
        let command = match self {
            Self::Program => super::PROG_GET_FD_BY_ID,
            Self::Map => super::MAP_GET_FD_BY_ID,
            Self::Link => super::LINK_GET_FD_BY_ID,
        };
        let mut attr: Attr = [0; 128];
        put(&mut attr, 0, &id.to_ne_bytes());
        call_for_fd(command, &mut attr)
    }
}

/// How many instructions of a program the verifier processed, on all paths (Linux 5.16); `None`: the kernel does not say.
pub fn verified_instructions(program: u32) -> Result<Option<u32>> {
    let fd = Kind::Program.open(program).with_context(|| format!("cannot open program {program}"))?;
    let info = information(&fd)?;
    // struct bpf_prog_info: ..., run_time_ns, run_cnt, recursion_misses, verified_insns
    let count = word(&info, 216);
    Ok((count != 0).then_some(count))
}

/// The objects pinned anywhere under `folder`, and the programs of links among them.
pub fn pinned(folder: &Path) -> Result<Objects> {
    let mut objects = Objects::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(objects) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            objects.extend(pinned(&path)?);
        } else if let Some(object) = of_pin(&path)? {
            objects.extend(object.program()?);
            objects.insert(object);
        }
    }
    Ok(objects)
}

/// The objects that a process has open.
pub fn opened_by(pid: u32) -> Result<Objects> {
    let mut objects = Objects::new();
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return Ok(objects) };
    for entry in entries {
        // A descriptor that was closed in between is not open.
        let Ok(text) = std::fs::read_to_string(entry?.path()) else { continue };
        for (key, kind) in [("link_id:", Kind::Link), ("prog_id:", Kind::Program), ("map_id:", Kind::Map)] {
            let id = text.lines().find_map(|line| line.strip_prefix(key)).and_then(|id| id.trim().parse().ok());
            if let Some(object) = id.map(|id| Object::of_id(kind, id)).transpose()?.flatten() {
                objects.extend(object.program()?);
                objects.insert(object);
            }
        }
    }
    Ok(objects)
}

pub(super) fn open_pin(path: &Path) -> Result<OwnedFd> {
    let text = CString::new(path.as_os_str().as_bytes())?;
    let mut attr: Attr = [0; 128];
    put(&mut attr, 0, &(text.as_ptr() as u64).to_ne_bytes());
    Ok(call_for_fd(super::OBJ_GET, &mut attr)?)
}

fn of_pin(path: &Path) -> Result<Option<Object>> {
    let Ok(fd) = open_pin(path) else { return Ok(None) };
    let target = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    let kind = match target.to_string_lossy().as_ref() {
        "anon_inode:bpf-prog" => Kind::Program,
        "anon_inode:bpf-map" => Kind::Map,
        _ => Kind::Link,
    };
    Object::of_fd(kind, &fd).map(Some)
}

pub(super) fn information(fd: &impl AsFd) -> Result<[u8; 256]> {
    let mut info = [0u8; 256];
    let mut attr: Attr = [0; 128];
    put(&mut attr, 0, &fd.as_fd().as_raw_fd().to_ne_bytes());
    put(&mut attr, 4, &(info.len() as u32).to_ne_bytes());
    put(&mut attr, 8, &(info.as_mut_ptr() as u64).to_ne_bytes());
    call(super::OBJ_GET_INFO_BY_FD, &mut attr).context("BPF_OBJ_GET_INFO_BY_FD failed")?;
    Ok(info)
}

/// A field of what [`information`] gives.
fn word(information: &[u8; 256], offset: usize) -> u32 {
    u32::from_ne_bytes(std::array::from_fn(|index| information[offset + index]))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}
