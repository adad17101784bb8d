//! How many entries a pinned map has, asked of the kernel itself.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::object::{information, open_pin};
use super::{Attr, call, put};

const MAP_GET_NEXT_KEY: i32 = 4;
/// `struct bpf_map_info`: type, id, key_size.
const KEY_SIZE: usize = 8;
/// More than any test makes: a map that changes while it is walked may be walked for ever.
const MOST: usize = 1 << 20;

/// The number of keys of the map that is pinned by this name somewhere below `folder`.
pub fn count_keys(folder: &Path, name: &str) -> Result<usize> {
    let path = &find(folder, name)?.with_context(|| format!("no {name} is pinned in {}", folder.display()))?;
    let map = open_pin(path).with_context(|| format!("cannot open {}", path.display()))?;
    let info = information(&map)?;
    let size = u32::from_ne_bytes([info[KEY_SIZE], info[KEY_SIZE + 1], info[KEY_SIZE + 2], info[KEY_SIZE + 3]]);
    let (mut key, mut next) = (Vec::new(), vec![0u8; size as usize]);
    for count in 0..MOST {
        let mut attr: Attr = [0; 128];
        put(&mut attr, 0, &map.as_raw_fd().to_ne_bytes());
        // No key asks for the first one.
        let address = if key.is_empty() { 0 } else { Vec::as_ptr(&key) as u64 };
        put(&mut attr, 8, &address.to_ne_bytes());
        put(&mut attr, 16, &(next.as_mut_ptr() as u64).to_ne_bytes());
        match call(MAP_GET_NEXT_KEY, &mut attr) {
            Ok(_) => key.clone_from(&next),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(count),
            Err(error) => return Err(error).with_context(|| format!("the keys of {}", path.display())),
        }
    }
    bail!("{} has more than {MOST} keys", path.display())
}

fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let found = if path.is_dir() { find(&path, name)? } else { path.ends_with(name).then_some(path) };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
