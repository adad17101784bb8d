//! Writes the CRDs as YAML into a folder: `cargo run -p meshaccel-crds crds/yaml`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args_os().nth(1).ok_or("usage: meshaccel-crds FOLDER")?.into();
    for manifest in meshaccel_crds::manifest::all()? {
        std::fs::write(folder.join(&manifest.file), &manifest.yaml)?;
    }
    Ok(())
}
