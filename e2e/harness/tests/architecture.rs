//! The house as ARCHITECTURE.md draws it is the house as Cargo builds it: the crates, their arrows, what has no I/O, and where links lead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Crates whose code is pure: what they may depend on from outside, and nothing else.
const PURE: [(&str, &[&str]); 3] = [
    ("meshaccel-abi", &["aya", "bytemuck"]),
    ("meshaccel-decide", &[]),
    ("meshaccel-model", &["k8s-openapi", "prometheus-client", "serde", "serde_json"]),
];
/// What pure code does not say. (`aya` is there for the one trait that lets maps hold the layouts.)
const IMPURE: [&str; 9] = [
    "std::fs",
    "std::process",
    "std::os",
    "std::thread",
    "std::net::Tcp",
    "std::time::Instant",
    "std::io",
    "libc::",
    "tokio",
];

/// Of ours: what each crate depends on to be built, and the folder it is in.
struct Crates {
    arrows: BTreeMap<String, BTreeSet<String>>,
    foreign: BTreeMap<String, BTreeSet<String>>,
    folders: BTreeMap<String, PathBuf>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn crates() -> Result<Crates> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let mut crates = Crates { arrows: BTreeMap::new(), foreign: BTreeMap::new(), folders: BTreeMap::new() };
    for package in packages {
        let name = text(&package["name"]);
        let needed = package["dependencies"].as_array().into_iter().flatten().filter(|one| one["kind"] != "dev");
        let (own, foreign) = needed.map(|one| text(&one["name"])).partition(|needed| ours.contains(needed));
        crates.arrows.insert(name.clone(), own);
        crates.foreign.insert(name.clone(), foreign);
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        crates.folders.insert(name, manifest.parent().context("a folder")?.to_owned());
    }
    Ok(crates)
}

/// The rows of the table of crates: `| crate | folder | what it is | needs |`.
fn drawn() -> Result<BTreeMap<String, (String, BTreeSet<String>)>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let rows = text.lines().filter(|line| line.starts_with("| `meshaccel-"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        ensure!(cells.len() == 4, "a row of {} cells: {row}", cells.len());
        let bare = |cell: &str| cell.trim_matches('`').to_owned();
        let needs = cells[3].split(',').map(str::trim).filter(|one| !one.is_empty());
        let needs = needs.map(|one| format!("meshaccel-{one}")).collect();
        Ok((bare(cells[0]), (bare(cells[1]), needs)))
    })
    .collect()
}

#[test]
fn the_crates_are_those_that_are_drawn() -> Result<()> {
    let (crates, drawn) = (crates()?, drawn()?);
    let (built, told): (Vec<_>, Vec<_>) = (crates.arrows.keys().collect(), drawn.keys().collect());
    ensure!(built == told, "Cargo has the crates {built:?}, ARCHITECTURE.md {told:?}");
    for (name, (folder, needs)) in &drawn {
        ensure!(crates.folders[name] == root().canonicalize()?.join(folder), "{name} is not in {folder}");
        ensure!(crates.arrows[name] == *needs, "{name} needs {:?}; drawn are {needs:?}", crates.arrows[name]);
    }
    Ok(())
}

#[test]
fn no_arrow_comes_back_and_capabilities_are_apart() -> Result<()> {
    let crates = crates()?;
    let reached = |from: &str| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(one) = next.pop() {
            let new = crates.arrows[&one].iter().filter(|needed| reached.insert((*needed).clone()));
            next.extend(new.cloned());
        }
        reached
    };
    for name in crates.arrows.keys() {
        ensure!(!reached(name).contains(name), "{name} needs itself");
    }
    // A capability is what has a module in abi: its layouts.
    let modules = std::fs::read_dir(root().join("ebpf/abi/src"))?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        Some(name.strip_suffix(".rs")?.to_owned())
    });
    let capabilities: BTreeSet<String> =
        modules.map(|module| format!("meshaccel-{module}")).filter(|name| crates.arrows.contains_key(name)).collect();
    ensure!(capabilities.contains("meshaccel-redirect"), "capabilities are {capabilities:?}");
    for one in &capabilities {
        let others: Vec<_> = reached(one).into_iter().filter(|other| capabilities.contains(other)).collect();
        ensure!(others.is_empty(), "{one} needs {others:?}");
        let shared = ["bpf", "model", "workload", "sources"].map(|name| format!("meshaccel-{name}"));
        for below in shared {
            ensure!(!reached(&below).contains(one), "{below} knows the capability {one}");
        }
    }
    Ok(())
}

#[test]
fn what_is_pure_does_no_input_or_output() -> Result<()> {
    let crates = crates()?;
    for (name, allowed) in PURE {
        let more: Vec<_> = crates.foreign[name].iter().filter(|one| !allowed.contains(&one.as_str())).collect();
        ensure!(more.is_empty(), "{name} depends on {more:?}");
        for path in sources(&crates.folders[name].join("src"))? {
            let text = std::fs::read_to_string(&path)?;
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                let said = IMPURE.iter().find(|word| line.contains(*word));
                ensure!(said.is_none(), "{}: {line}", path.display());
            }
        }
    }
    Ok(())
}

/// Only `bpf` of the daemon has unsafe code: all others forbid it to themselves.
#[test]
fn unsafe_code_is_in_one_crate_of_the_daemon() -> Result<()> {
    let crates = crates()?;
    let of_the_daemon =
        crates.folders.iter().filter(|(_, folder)| folder.parent().is_some_and(|above| above.ends_with("node-daemon")));
    for (name, folder) in of_the_daemon.filter(|(name, _)| *name != "meshaccel-bpf") {
        let text = std::fs::read_to_string(folder.join("src/lib.rs"))?;
        ensure!(text.contains("#![forbid(unsafe_code)]"), "{name} does not forbid unsafe code");
    }
    Ok(())
}

#[test]
fn links_lead_somewhere() -> Result<()> {
    let listed = Command::new("git").args(["ls-files", "*.md"]).current_dir(root()).output().context("git ls-files")?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let mut dead = Vec::new();
    for page in String::from_utf8(listed.stdout)?.lines() {
        let path = root().join(page);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            if !path.parent().context("a folder")?.join(file).exists() {
                dead.push(format!("{page}: {target}"));
            }
        }
    }
    ensure!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
    Ok(())
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
    Ok(all)
}
