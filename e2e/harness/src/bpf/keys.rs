//! How many entries a pinned map has, and whether it has one; asked of the kernel itself. And a change in all of them, for what no test
//! could bring about in time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::object::{information, open_pin};
use super::{Attr, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, call, put};

const MAP_GET_NEXT_KEY: i32 = 4;
/// `struct bpf_map_info`: type, id, key_size.
const KEY_SIZE: usize = 8;
/// And the size of a value.
const VALUE_SIZE: usize = 12;
/// More than any test makes: a map that changes while it is walked may be walked for ever.
const MOST: usize = 1 << 20;

/// The number of keys of the map that is pinned by this name somewhere below `folder`.
pub fn count_keys(folder: &Path, name: &str) -> Result<usize> {
    let (map, path) = open(folder, name)?;
    Ok(keys(&map, &path)?.len())
}

/// Writes `bytes` at byte `offset` of every value of such a map, and gives how many there are.
pub fn change_values(folder: &Path, name: &str, offset: usize, bytes: &[u8]) -> Result<usize> {
    /// Only where there is such a key.
    const BPF_EXIST: u64 = 2;
    let (map, path) = open(folder, name)?;
    let mut value = vec![0u8; field(&map, VALUE_SIZE)?];
    ensure!(offset + bytes.len() <= value.len(), "{} has values of {} bytes", path.display(), value.len());
    let keys = keys(&map, &path)?;
    for key in &keys {
        for command in [MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM] {
            let mut attr: Attr = [0; 128];
            put(&mut attr, 0, &map.as_raw_fd().to_ne_bytes());
            put(&mut attr, 8, &(key.as_ptr() as u64).to_ne_bytes());
            put(&mut attr, 16, &(value.as_mut_ptr() as u64).to_ne_bytes());
            if command == MAP_UPDATE_ELEM {
                put(&mut attr, 24, &BPF_EXIST.to_ne_bytes());
            }
            call(command, &mut attr).with_context(|| format!("a value of {}", path.display()))?;
            value[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }
    Ok(keys.len())
}

fn keys(map: &OwnedFd, path: &Path) -> Result<Vec<Vec<u8>>> {
    let (mut keys, mut next) = (Vec::<Vec<u8>>::new(), vec![0u8; field(map, KEY_SIZE)?]);
    while keys.len() < MOST {
        let mut attr: Attr = [0; 128];
        put(&mut attr, 0, &map.as_raw_fd().to_ne_bytes());
        // No key asks for the first one.
        let address = keys.last().map_or(0, |key| key.as_ptr() as u64);
        put(&mut attr, 8, &address.to_ne_bytes());
        put(&mut attr, 16, &(next.as_mut_ptr() as u64).to_ne_bytes());
        match call(MAP_GET_NEXT_KEY, &mut attr) {
            Ok(_) => keys.push(next.clone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(keys),
            Err(error) => return Err(error).with_context(|| format!("the keys of {}", path.display())),
        }
    }
    bail!("{} has more than {MOST} keys", path.display())
}

/// Whether the map that is pinned by this name somewhere below `folder` has this key.
pub fn has_key(folder: &Path, name: &str, key: &[u8]) -> Result<bool> {
    let (map, path) = open(folder, name)?;
    ensure!(key.len() == field(&map, KEY_SIZE)?, "a key of {} bytes for {}", key.len(), path.display());
    let mut value = vec![0u8; field(&map, VALUE_SIZE)?];
    let mut attr: Attr = [0; 128];
    put(&mut attr, 0, &map.as_raw_fd().to_ne_bytes());
    put(&mut attr, 8, &(key.as_ptr() as u64).to_ne_bytes());
    put(&mut attr, 16, &(value.as_mut_ptr() as u64).to_ne_bytes());
    match call(MAP_LOOKUP_ELEM, &mut attr) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("a key of {}", path.display())),
    }
}

fn open(folder: &Path, name: &str) -> Result<(OwnedFd, PathBuf)> {
    let path = find(folder, name)?.with_context(|| format!("no {name} is pinned in {}", folder.display()))?;
    let map = open_pin(&path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok((map, path))
}

/// A field of the map's `struct bpf_map_info`.
fn field(map: &OwnedFd, offset: usize) -> Result<usize> {
    let info = information(map)?;
    let bytes = info.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok()).context("a short bpf_map_info")?;
    Ok(u32::from_ne_bytes(bytes) as usize)
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
