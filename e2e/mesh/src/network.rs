//! The node of a mesh: a network namespace with the bridge that joins its pods, as a CNI plugin would make it.
//! The machine's own network is never touched.

use anyhow::Result;
use meshaccel_e2e_harness::netns::{Netns, run};

/// Makes the node: bridge `cni0` with the pods' gateway addresses, forwarding on.
pub(super) fn node() -> Result<Netns> {
    let node = Netns::new("node")?;
    let ip = |arguments: &[&str]| run("ip", &[&["-n", node.name()], arguments].concat());
    ip(&["link", "add", "cni0", "type", "bridge"])?;
    ip(&["addr", "add", "10.244.0.1/24", "dev", "cni0"])?;
    ip(&["addr", "add", "fd00:244::1/64", "dev", "cni0", "nodad"])?;
    ip(&["link", "set", "cni0", "up"])?;
    Ok(node)
}
