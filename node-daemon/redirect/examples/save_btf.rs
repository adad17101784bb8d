//! Saves a kernel's type information for the test of the table of fields (src/kernel/offsets/saved.rs), cut down to what the
//! table asks for: some kilobytes instead of megabytes, and the same answers.
//!
//!     cargo run --release -p meshaccel-node --example save_btf -- IMAGE FILE
//!
//! scripts/save-btf.sh does it for all that are saved, which is needed whenever the table gets a field.
//!
//! IMAGE is a kernel as it is booted (vmlinuz of any architecture; lz4, xz, zstd or gzip unpack it) or /sys/kernel/btf/vmlinux.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use meshaccel_abi::redirect::Offsets;
use meshaccel_bpf::btf::{Btf, ENUM, STRUCT, Type};
use meshaccel_redirect::kernel::offsets;

/// What compressed kernels begin with, and what unpacks them.
const PACKED: [(&[u8], &str); 4] = [
    (&[0x02, 0x21, 0x4c, 0x18], "lz4"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
    (&[0x1f, 0x8b, 0x08], "gzip"),
];
/// What BTF of version 1 without flags begins with.
const MAGIC: [u8; 8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, file] = arguments.as_slice() else { bail!("usage: save_btf IMAGE FILE") };
    let whole = btf_in(&fs::read(image).with_context(|| image.clone())?).context("no type information in it")?;
    let whole = Btf::parse(whole)?;
    let saved = cut(&whole);
    let answer = |btf: &Btf| offsets::fields(btf).map_err(|error| error.to_string());
    let (before, after) = (answer(&whole), answer(&Btf::parse(saved.clone())?));
    ensure!(before == after, "cut down it says something else: {before:?}, {after:?}");
    fs::write(file, &saved)?;
    println!("{file}: {} bytes; {}", saved.len(), before.map_or_else(|error| error, |_| "every field fits".to_owned()));
    Ok(())
}

/// The type information in an image: the longest thing that looks like it.
fn btf_in(image: &[u8]) -> Option<Vec<u8>> {
    let found = |image: &[u8]| {
        let places = image.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC);
        let sections = places.filter_map(|(at, _)| section(&image[at..]));
        sections.max_by_key(|section| section.len()).map(<[u8]>::to_vec)
    };
    found(image).or_else(|| {
        PACKED.iter().find_map(|(magic, program)| {
            let places = image.windows(magic.len()).enumerate().filter(|(_, bytes)| bytes == magic);
            places.map(|(at, _)| at).find_map(|at| found(&unpack(program, &image[at..]).ok()?))
        })
    })
}

/// The section that begins here.
fn section(bytes: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let (types, strings, length) = (word(12)?, word(16)?, word(20)?);
    let section = bytes.get(..MAGIC.len() + 16 + strings + length)?;
    (types > 0 && types <= strings && section.ends_with(&[0])).then_some(section)
}

/// What comes out, also when something that is no part of it follows.
fn unpack(program: &str, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut child = Command::new(program)
        .arg("-dcq")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let mut input = child.stdin.take().context("no pipe")?;
    std::thread::scope(|threads| {
        // It stops reading where it finds the end.
        threads.spawn(move || input.write_all(bytes).ok());
        Ok(child.wait_with_output()?.stdout)
    })
}

/// Only what the table looks at.
fn cut(whole: &Btf) -> Vec<u8> {
    let mut cut =
        Cut { whole, types: Vec::new(), count: 0, strings: vec![0], names: HashMap::new(), leaves: HashMap::new() };
    let mut wanted: Vec<(&str, Vec<&str>)> = Vec::new();
    for (structure, path) in
        Offsets::FIELDS.iter().flat_map(|field| field.paths).filter_map(|path| path.split_once('.'))
    {
        match wanted.iter_mut().find(|(name, _)| *name == structure) {
            Some((_, paths)) => paths.push(path),
            None => wanted.push((structure, vec![path])),
        }
    }
    for (structure, paths) in wanted {
        whole.id(structure, STRUCT).and_then(|id| cut.keep(id, &paths));
    }
    whole.id("sock_flags", ENUM).and_then(|id| cut.keep(id, &["enumerators"]));
    cut.section()
}

struct Cut<'a> {
    whole: &'a Btf,
    types: Vec<u8>,
    count: u32,
    strings: Vec<u8>,
    names: HashMap<&'a [u8], u32>,
    /// New ids of types of which nothing inside is wanted.
    leaves: HashMap<u32, u32>,
}

impl<'a> Cut<'a> {
    /// Writes a type with what these paths need of it; its new id. `None`: they need nothing of it.
    fn keep(&mut self, id: u32, paths: &[&str]) -> Option<u32> {
        const POINTER: u32 = 2;
        const ARRAY: u32 = 3;
        const UNION: u32 = 5;
        if paths.is_empty()
            && let Some(&kept) = self.leaves.get(&id)
        {
            return Some(kept);
        }
        let of = self.whole.get(id)?;
        let kept = match of.kind() {
            // What it points to is of no interest.
            POINTER => self.write(Type { size_or_type: 0, ..of }, 0, &[]),
            ARRAY => {
                let word = |at: usize| Some(u32::from_le_bytes(of.rest.get(at..at + 4)?.try_into().ok()?));
                let element = self.keep(word(0)?, &[])?;
                self.write(of, 0, &[element, element, word(8)?])
            }
            STRUCT | UNION => {
                let members = self.members(&of, paths);
                if members.is_empty() && !paths.is_empty() {
                    return None;
                }
                self.write(of, members.len() / 3, &members)
            }
            ENUM => {
                let wanted = self.whole.enumerators(&of).filter(|_| !paths.is_empty());
                let values: Vec<u32> = wanted.flat_map(|(name, value)| [self.name(name), value]).collect();
                self.write(of, values.len() / 2, &values)
            }
            // Typedefs, const, volatile, restrict; what marks a type.
            8..=11 | 18 => {
                let size_or_type = if of.size_or_type == 0 { 0 } else { self.keep(of.size_or_type, paths)? };
                self.write(Type { size_or_type, ..of }, 0, &[])
            }
            _ => {
                let rest: Vec<u32> = of
                    .rest
                    .chunks_exact(4)
                    .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
                    .collect();
                self.write(of, 0, &rest)
            }
        };
        if paths.is_empty() {
            self.leaves.insert(id, kept);
        }
        Some(kept)
    }

    /// The members of a structure that these paths need, as they are stored.
    fn members(&mut self, of: &Type<'a>, paths: &[&str]) -> Vec<u32> {
        let mut kept = Vec::new();
        for member in self.whole.members(of) {
            let ours: Vec<&str> =
                paths.iter().copied().filter(|path| member.name.is_empty() || path_is_of(path, member.name)).collect();
            if ours.is_empty() {
                continue;
            }
            let inner: Vec<&str> = match member.name {
                [] => ours,
                _ => ours.iter().filter_map(|path| Some(path.split_once('.')?.1)).collect(),
            };
            if let Some(id) = self.keep(member.id, &inner) {
                kept.extend([self.name(member.name), id, member.bits << 24 | member.at]);
            }
        }
        kept
    }

    fn write(&mut self, of: Type<'a>, count: usize, rest: &[u32]) -> u32 {
        let name = self.name(of.name);
        let head = [name, of.info & 0xffff_0000 | count as u32, of.size_or_type];
        self.types.extend(head.iter().chain(rest).flat_map(|word| word.to_le_bytes()));
        self.count += 1;
        self.count
    }

    fn name(&mut self, name: &'a [u8]) -> u32 {
        if name.is_empty() {
            return 0;
        }
        *self.names.entry(name).or_insert_with(|| {
            let at = self.strings.len() as u32;
            self.strings.extend(name.iter().chain(&[0]));
            at
        })
    }

    fn section(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let lengths = [0, types, types, strings].into_iter().flat_map(u32::to_le_bytes);
        MAGIC.into_iter().chain(lengths).chain(self.types).chain(self.strings).collect()
    }
}

/// Does the path begin with this member?
fn path_is_of(path: &str, member: &[u8]) -> bool {
    let first = path.split(['.', '[']).next().unwrap_or_default();
    first.as_bytes() == member
}
