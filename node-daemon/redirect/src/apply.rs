//! Carries out a plan. One `match`, no decisions.

use std::collections::BTreeMap;

use meshaccel_abi::redirect::Policy;
use meshaccel_abi::redirect::policy::SWITCH_ON;
use meshaccel_bpf::iterator::LinkedIterator;
use meshaccel_bpf::maps::MapsError;
use meshaccel_bpf::sys::netns::Namespace;
use meshaccel_model::NetnsCookie;

use crate::kernel::maps::Maps;
use crate::kernel::rows;
use crate::plan::Action;

/// Carries out `actions` in order. An action that fails is reported and the rest goes on: the next plan will hold it
/// again, and a pod that is not known yet simply stays on TCP.
#[tracing::instrument(skip_all, fields(actions = actions.len()))]
pub fn apply(
    actions: &[Action],
    maps: &mut Maps,
    import: &LinkedIterator,
    by_cookie: &BTreeMap<NetnsCookie, &Namespace>,
) -> Vec<MapsError> {
    let mut failures = Vec::new();
    let mut importing = Vec::new();
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
            Action::Import(cookie) => {
                importing.extend(by_cookie.get(cookie));
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
    if !importing.is_empty() {
        // Those within the pod. Connections to other pods are for `node/importing.rs`.
        let sockets = rows::import(import, maps, &importing);
        if sockets > 0 {
            tracing::info!(sockets, "Imported connections that were open already");
        }
    }
    failures
}
