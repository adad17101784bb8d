//! What is depended on may be given away: each licence is among those of deny.toml. (`cargo deny check` looks for advisories as well,
//! for which it needs its database; this needs Cargo alone.)

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

fn packages() -> Result<Vec<Value>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let output = Command::new(cargo).args(arguments).current_dir(root).output().context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(metadata["packages"].as_array().context("packages")?.clone())
}

fn rules() -> Result<toml::Table> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deny.toml");
    Ok(std::fs::read_to_string(&path).with_context(|| path.display().to_string())?.parse()?)
}

fn allowed(rules: &toml::Table) -> Result<Vec<String>> {
    let allowed = rules["licenses"]["allow"].as_array().context("licenses.allow")?;
    allowed.iter().map(|one| Ok(one.as_str().context("a licence")?.to_owned())).collect()
}

#[test]
fn every_dependency_has_an_allowed_licence() -> Result<()> {
    let allowed = allowed(&rules()?)?;
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for package in packages()? {
        let name = package["name"].as_str().context("a name")?;
        let Some(licence) = package["license"].as_str() else {
            wrong.push(format!("{name}: none is told"));
            continue;
        };
        seen += 1;
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .with_context(|| format!("{name}: {licence}"))?;
        // With an exception or without: as in `Apache-2.0 WITH LLVM-exception`.
        let is_allowed = |one: &spdx::LicenseReq| allowed.contains(&one.to_string());
        if !expression.evaluate(is_allowed) {
            wrong.push(format!("{name}: {licence}"));
        }
    }
    ensure!(seen > 200, "only {seen} packages were seen");
    ensure!(wrong.is_empty(), "not among the licences of deny.toml:\n{}", wrong.join("\n"));
    Ok(())
}

/// A revision of somebody's repository can go away, or change what it is.
#[test]
fn what_comes_from_elsewhere_comes_from_the_registry() -> Result<()> {
    let mut elsewhere = BTreeMap::new();
    for package in packages()? {
        let name = package["name"].as_str().context("a name")?.to_owned();
        match package["source"].as_str() {
            None if name.starts_with("meshaccel-") => {}
            Some(source) if source.starts_with("registry+") => {}
            source => {
                elsewhere.insert(name, source.map(str::to_owned));
            }
        }
    }
    ensure!(elsewhere.is_empty(), "not from a registry: {elsewhere:?}");
    Ok(())
}
