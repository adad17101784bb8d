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
    /// Outbound and inbound listener.
    ports: [u16; 2],
    /// User of the sidecar, unless its container says otherwise.
    uid: u32,
    /// Where the sidecar connects to its application from.
    sources: &'static [IpAddr],
}

const ISTIO: Known = Known {
    container: "istio-proxy",
    ports: [15001, 15006],
    uid: 1337,
    sources: &[IpAddr::V4(Ipv4Addr::new(127, 0, 0, 6)), IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6))],
};

const LINKERD: Known = Known { container: "linkerd-proxy", ports: [4140, 4143], uid: 2102, sources: &[] };

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
        sidecar.ports.extend(known.ports);
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
        .unwrap_or(known.uid)
}

/// Among the init containers, too: there a native sidecar stands.
fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    spec.containers.iter().chain(spec.init_containers.iter().flatten()).find(|container| container.name == name)
}

#[cfg(test)]
mod tests;
