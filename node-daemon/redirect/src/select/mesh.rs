//! How the sidecar of one pod is recognised: what the known meshes use, and what the pod itself says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use k8s_openapi::api::core::v1::{Container, Pod};
use meshaccel_crds::{Mesh, Provider};

/// What tells the sidecar's end of a connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sidecar {
    pub ports: Vec<u16>,
    pub uids: Vec<u32>,
    pub sources: Vec<IpAddr>,
    /// Nothing tells it; every pair of ends will do.
    pub any_pair: bool,
}

/// A mesh as its injector sets it up.
struct Known {
    /// Name of the sidecar's container.
    container: &'static str,
    /// Names of the init containers that install its rules, or check them.
    init: &'static [&'static str],
    /// Outbound and inbound listener, unless the rules say otherwise, and the flags that say so.
    ports: [(u16, [&'static str; 2]); 2],
    /// User of the sidecar, unless its container or the rules say otherwise, and the flags of the rules.
    uid: (u32, [&'static str; 2]),
    /// Where the sidecar connects to its application from.
    sources: &'static [IpAddr],
}

const ISTIO: Known = Known {
    container: "istio-proxy",
    init: &["istio-init", "istio-validation"],
    ports: [(15001, ["-p", "--envoy-port"]), (15006, ["-z", "--inbound-capture-port"])],
    uid: (1337, ["-u", "--proxy-uid"]),
    sources: &[IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6)), IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6))],
};

const LINKERD: Known = Known {
    container: "linkerd-proxy",
    init: &["linkerd-init", "linkerd-network-validator"],
    ports: [(4140, ["-o", "--outgoing-proxy-port"]), (4143, ["-p", "--incoming-proxy-port"])],
    uid: (2102, ["-u", "--proxy-uid"]),
    sources: &[],
};

/// What tells the sidecar of this pod.
pub fn sidecar(mesh: &Mesh, pod: &Pod) -> Sidecar {
    match mesh.provider {
        Provider::Auto => {
            let present: Vec<_> =
                [&ISTIO, &LINKERD].into_iter().filter(|known| container(pod, known.container).is_some()).collect();
            // Injected pods that were written down before injection show no sidecar: either mesh may come.
            if present.is_empty() { union(&[&ISTIO, &LINKERD], pod) } else { union(&present, pod) }
        }
        Provider::Istio => union(&[&ISTIO], pod),
        Provider::Linkerd => union(&[&LINKERD], pod),
        Provider::Custom => Sidecar {
            ports: mesh.sidecar_ports.clone(),
            // Both were checked when the object was read; what is not a uid or address here is nobody's.
            uids: mesh.proxy_uid.and_then(|uid| u32::try_from(uid).ok()).into_iter().collect(),
            sources: mesh.loopback_source.as_ref().and_then(|source| source.parse().ok()).into_iter().collect(),
            any_pair: mesh.sidecar_ports.is_empty() && mesh.proxy_uid.is_none(),
        },
    }
}

fn union(meshes: &[&Known], pod: &Pod) -> Sidecar {
    let mut sidecar = Sidecar::default();
    for known in meshes {
        sidecar.ports.extend(known.ports.map(|(port, flags)| {
            said(known, pod, flags).and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0).unwrap_or(port)
        }));
        sidecar.uids.push(uid(known, pod));
        sidecar.sources.extend(known.sources);
    }
    sidecar
}

/// The container's own runAsUser, as on OpenShift where the injector picks another. Not the pod's: that one is the
/// application's as well, and would tell nobody apart.
fn uid(known: &Known, pod: &Pod) -> u32 {
    container(pod, known.container)
        .and_then(|container| container.security_context.as_ref()?.run_as_user)
        .and_then(|uid| u32::try_from(uid).ok())
        .or_else(|| said(known, pod, known.uid.1))
        .unwrap_or(known.uid.0)
}

/// The number that the container of the rules was given by one of these flags, as `-p 15001` or `--envoy-port=15001`.
fn said(known: &Known, pod: &Pod, flags: [&str; 2]) -> Option<u32> {
    let container = known.init.iter().find_map(|name| container(pod, name))?;
    let words: Vec<&str> =
        container.command.iter().flatten().chain(container.args.iter().flatten()).map(String::as_str).collect();
    words.iter().enumerate().find_map(|(index, word)| {
        let number = match word.split_once('=') {
            Some((flag, number)) if flags.contains(&flag) => number,
            None if flags.contains(word) => words.get(index + 1)?,
            _ => return None,
        };
        number.parse().ok()
    })
}

/// Among the init containers, too: there a native sidecar stands.
fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    spec.containers.iter().chain(spec.init_containers.iter().flatten()).find(|container| container.name == name)
}

#[cfg(test)]
mod tests;
