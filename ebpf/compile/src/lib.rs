//! Compiles a crate of kernel programs for BPF with bpf-linker; called by build scripts. Two ways to a compiler that knows
//! the target, the first that is there is taken and named:
//!
//! 1. a rustc whose sysroot holds a prebuilt `core` for `bpfel-unknown-none` (Debian: rustc-web, libstd-rust-web-dev-bpf);
//! 2. a rustup nightly with rust-src, which builds `core` itself.
//!
//! `MESHACCEL_BPF_RUSTC` names another compiler of the first kind, `MESHACCEL_BPF_LINKER` another bpf-linker.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "bpfel-unknown-none";

/// Builds the binary `name` of `package` and puts the object into the build script's OUT_DIR as `<name>.bpf.o`. `folders`
/// are those of the repository that it depends on. The crate sees the compiler's name as `MESHACCEL_BPF_COMPILER`.
pub fn compile(package: &str, name: &str, folders: &[&str]) {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in folders.iter().chain(&["Cargo.lock"]) {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
    }
    for variable in ["MESHACCEL_BPF_RUSTC", "MESHACCEL_BPF_LINKER", "MESHACCEL_CACHE"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let target_dir = out.join("target");
    let mut cargo = match prebuilt_core() {
        Some(rustc) => {
            println!("cargo:rustc-env=MESHACCEL_BPF_COMPILER={}", version(&rustc));
            let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"));
            // aya-ebpf uses unstable features; the bootstrap key opens them for this one build.
            cargo.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
            cargo
        }
        None => {
            println!("cargo:rustc-env=MESHACCEL_BPF_COMPILER=nightly with build-std");
            let mut cargo = Command::new("rustup");
            cargo
                .args(["run", "nightly", "cargo"])
                .env_remove("RUSTC")
                .env_remove("CARGO")
                .env_remove("RUSTUP_TOOLCHAIN");
            cargo
        }
    };
    if prebuilt_core().is_none() {
        cargo.arg("-Zbuild-std=core");
    }
    let flags = [
        "--cfg=bpf_target_arch=\"x86_64\""
            .replace("x86_64", &env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it")),
        "-Cdebuginfo=2".into(),
        "-Clink-arg=--btf".into(),
        "-Ctarget-cpu=v3".into(),
        format!("-Clinker={}", linker().display()),
    ];
    let status = cargo
        .current_dir(&root)
        .args(["build", "--release", "--package", package, "--target", TARGET, "--target-dir"])
        .arg(&target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTC_WRAPPER")
        .status()
        .expect("the BPF build can be started");
    assert!(
        status.success(),
        "the BPF programs did not build: `make build` installs the compiler and the linker first"
    );
    let object = target_dir.join(TARGET).join("release").join(name);
    fs::copy(&object, out.join(format!("{name}.bpf.o"))).expect("the object is where cargo puts it");
}

/// A compiler with a prebuilt `core` for BPF.
fn prebuilt_core() -> Option<PathBuf> {
    let candidates = [env::var_os("MESHACCEL_BPF_RUSTC").map(PathBuf::from), Some("/usr/bin/rustc".into())];
    candidates.into_iter().flatten().find(|rustc| {
        let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
        output.is_ok_and(|o| {
            let folder = String::from_utf8_lossy(&o.stdout).trim().to_owned();
            fs::read_dir(Path::new(&folder)).is_ok_and(|mut d| d.next().is_some())
        })
    })
}

fn version(rustc: &Path) -> String {
    let output = Command::new(rustc).arg("--version").output().expect("it ran a moment ago");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The bpf-linker that `scripts/setup.sh` built, or the one on the PATH.
fn linker() -> PathBuf {
    if let Some(linker) = env::var_os("MESHACCEL_BPF_LINKER") {
        return linker.into();
    }
    let home = |name: &str, rest: &str| env::var_os(name).map(|h| PathBuf::from(h).join(rest));
    let caches = [home("MESHACCEL_CACHE", ""), home("XDG_CACHE_HOME", "meshaccel"), home("HOME", ".cache/meshaccel")];
    let built =
        caches.into_iter().flatten().map(|cache| cache.join("bpf-linker/bin/bpf-linker")).find(|path| path.exists());
    built.unwrap_or_else(|| "bpf-linker".into())
}
