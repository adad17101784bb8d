//! The benchmark itself, in a second: every variant carries something, every byte is right, and nothing stays behind. How
//! fast it was is not asked.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::bpf::{Object, Objects};
use meshaccel_e2e_harness::{cgroup, failure, wait};
use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_meshaccel-bench");
const VARIANTS: [&str; 4] = ["plain", "meshaccel", "published", "unix"];

#[test]
fn two_rows_have_all_variants_and_no_wrong_byte() {
    failure::check(|| {
        let directory = tempfile::tempdir()?;
        let before = published()?;
        for row in ["pair/ask-64-c16", "pair/duplex-1k"] {
            let (json, plot) = (directory.path().join("bench.json"), directory.path().join("bench.png"));
            let mut command = Command::new(BENCH);
            command
                .args(["--rounds", "1", "--seconds", "0.2", "--only", row, "--json"])
                .arg(&json)
                .arg("--plot")
                .arg(&plot);
            let child =
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot run the benchmark")?;
            let pid = child.id();
            let output = child.wait_with_output()?;
            ensure!(output.status.success(), "{row}: {output:?}");
            check(row, &serde_json::from_slice(&std::fs::read(&json)?)?)?;
            ensure!(std::fs::read(&plot)?.starts_with(b"\x89PNG"), "{row}: not a picture");
            no_group_is_left(pid)?;
        }
        wait::until("the published design to be freed", Duration::from_secs(10), || {
            Ok(published()?.is_subset(&before).then_some(()))
        })
    });
}

fn check(row: &str, document: &Value) -> Result<()> {
    let rows = document["rows"].as_array().context("no rows")?;
    ensure!(rows.len() == 1 && rows[0]["id"] == row, "{row}: {} rows", rows.len());
    let variants = rows[0]["variants"].as_array().context("no variants")?;
    let names: Vec<&str> = variants.iter().filter_map(|variant| variant["variant"].as_str()).collect();
    ensure!(names == VARIANTS, "{row}: {names:?}");
    for variant in variants {
        let windows = variant["windows"].as_array().context("no windows")?;
        ensure!(windows.len() == 1, "{row}: {} windows", windows.len());
        ensure!(windows[0]["operations"].as_u64() > Some(0), "{row}: nothing was carried: {variant}");
        ensure!(variant["mismatches"] == 0 && variant["broken"] == serde_json::json!([]), "{row}: {variant}");
    }
    Ok(())
}

/// What is loaded of the published design.
fn published() -> Result<Objects> {
    Object::all("pub_")
}

fn no_group_is_left(pid: u32) -> Result<()> {
    let prefix = format!("meshaccel-{pid}-");
    let groups = std::fs::read_dir(cgroup::root()?)?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let left: Vec<String> = groups.filter(|name| name.starts_with(&prefix)).collect();
    ensure!(left.is_empty(), "control groups: {left:?}");
    Ok(())
}
