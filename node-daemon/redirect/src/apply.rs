//! Carries out a plan. One `match`, no decisions.

use std::collections::BTreeMap;

use meshaccel_abi::redirect::Policy;
use meshaccel_abi::redirect::policy::SWITCH_ON;
use meshaccel_bpf::maps::MapsError;
use meshaccel_bpf::passes::Pass;
use meshaccel_bpf::sys::netns::Namespace;
use meshaccel_model::NetnsCookie;

use crate::kernel::maps::Maps;
use crate::kernel::passes;
use crate::plan::Action;

/// Carries out `actions` in order. An action that fails is reported and the rest goes on: the next plan will hold it
/// again, and a pod that is not known yet simply stays on TCP.
#[tracing::instrument(skip_all, fields(actions = actions.len()))]
pub fn apply(
    actions: &[Action],
    maps: &mut Maps,
    adopt: &Pass,
    residents: &BTreeMap<NetnsCookie, &Namespace>,
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
        // Those within the pod. Connections to other pods are for `node/adoption.rs`.
        let sockets = passes::adopt(adopt, maps, &adopting);
        if sockets > 0 {
            tracing::info!(sockets, "Adopted connections that were open already");
        }
    }
    failures
}
