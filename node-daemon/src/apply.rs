//! Carries out a plan. One `match`, no decisions.

use std::collections::BTreeMap;
use std::path::Path;

use meshaccel_abi::Policy;
use meshaccel_abi::policy::SWITCH_ON;

use crate::kernel::maps::{Maps, MapsError};
use crate::kernel::passes::{self, Pass};
use crate::plan::Action;
use crate::sys::netns::NetnsCookie;

/// Carries out `actions` in order. An action that fails is reported and the rest goes on: the next plan will hold it
/// again, and a pod that is not known yet simply stays on TCP.
pub fn apply(
    actions: &[Action],
    maps: &mut Maps,
    adopt: &Pass,
    residents: &BTreeMap<NetnsCookie, Resident<'_>>,
) -> Vec<MapsError> {
    let mut failures = Vec::new();
    let mut adopting = Vec::new();
    for action in actions {
        tracing::debug!(?action, "Applied action");
        let result = match action {
            Action::SetPolicy { slot, policy, fresh } => {
                if *fresh {
                    failures.extend(maps.set_switch(Maps::pod_switch(*slot), SWITCH_ON).err());
                    failures.extend(maps.reset_total(*slot).err());
                }
                maps.set_policy(*slot, *policy)
            }
            Action::AddPod(pod) => {
                tracing::info!(pod = %pod.pod, netns_cookie = pod.cookie.0, "Selected pod");
                maps.add_pod(pod)
            }
            Action::Adopt(cookie) => {
                adopting.extend(residents.get(cookie));
                Ok(())
            }
            Action::RemovePod(cookie) => {
                tracing::info!(netns_cookie = cookie.0, "Released pod");
                maps.remove_pod(*cookie)
            }
            Action::Free(slot) => maps.set_policy(*slot, Policy::free()),
        };
        failures.extend(result.err());
    }
    if !adopting.is_empty() {
        adopt_older(adopt, maps, &adopting, residents);
    }
    failures
}

/// A network namespace that is there.
#[derive(Clone, Copy, Debug)]
pub struct Resident<'a> {
    /// A path that leads to it.
    pub path: &'a Path,
    /// Its connections to other pods count too.
    pub node_local: bool,
}

/// Records connections that were open already. The far end of a connection between pods may be in a pod that was selected
/// long ago, so with scope NodeLocal all such namespaces are looked at, not only the new ones.
fn adopt_older(pass: &Pass, maps: &mut Maps, new: &[&Resident<'_>], residents: &BTreeMap<NetnsCookie, Resident<'_>>) {
    let between_pods = new.iter().any(|resident| resident.node_local);
    let others = residents.values().filter(|resident| between_pods && resident.node_local);
    let mut paths: Vec<&Path> = new.iter().copied().chain(others).map(|resident| resident.path).collect();
    paths.sort_unstable();
    paths.dedup();
    match passes::adopt(pass, maps, &paths) {
        Ok(0) => {}
        Ok(sockets) => tracing::info!(sockets, "Adopted connections that were open already"),
        Err(error) => tracing::warn!(%error, "Could not adopt connections that were open already"),
    }
}
