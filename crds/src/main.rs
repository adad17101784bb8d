//! Prints the CRD as YAML: `cargo run -p meshaccel-crds > crds/yaml/meshaccelerations.meshaccel.dev.yaml`.

use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    let yaml = meshaccel_crds::manifest::mesh_acceleration_yaml()?;
    std::io::stdout().write_all(yaml.as_bytes())?;
    Ok(())
}
