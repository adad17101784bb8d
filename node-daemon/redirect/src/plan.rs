//! From what should be and what is to what must be done. Pure: no kernel, no clock (time comes in as a value).
//!
//! A slot's life: *taken* (policy and pod entry written), *passing* (no message is redirected any more, nothing new is
//! recorded), *retiring* (drained sockets leave the SOCKHASH), *free*. Between passing and retiring lies a grace
//! period, so that no message is on its way when its receiver leaves. The phase is written in the policy's flags, so a
//! daemon that is killed in between goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use meshaccel_abi::redirect::policy::{
    ANY_PAIR, EAGER, ENFORCE, KNOWN_PROXY, MAX_PODS, NO_UID, NODE_LOCAL, OBSERVE, RETIRE,
};
use meshaccel_abi::redirect::{Endpoint, Policy};
use meshaccel_model::{KeepAlive, NetnsCookie, PodName};

use crate::pods::{MappedPod, Slot, SlotTally};
use crate::select::Settings;

/// How long a slot passes everything before its sockets may leave the SOCKHASH. A verdict given before that is
/// carried out within microseconds; a second is generous.
pub const GRACE: Duration = Duration::from_secs(1);

/// A pod that should be accelerated (or observed), and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub pod: PodName,
    pub cookie: NetnsCookie,
    pub settings: Settings,
    /// At least this often a message takes TCP.
    pub keep_alive: KeepAlive,
}

/// What the maps hold.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Pods that the programs know.
    pub pods: Vec<MappedPod>,
    /// Slots that are taken.
    pub policies: BTreeMap<Slot, Policy>,
    /// Sockets of each slot.
    pub tallies: BTreeMap<Slot, SlotTally>,
    /// For how long each slot has not enforced, as far as this daemon saw.
    pub passing_for: BTreeMap<Slot, Duration>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write a slot's policy. `fresh`: its switch belonged to an earlier pod and goes back to on.
    SetPolicy { slot: Slot, policy: Policy, fresh: bool },
    /// Make the programs know a pod.
    AddPod(MappedPod),
    /// Record the connections that a new pod has already.
    Import(NetnsCookie),
    /// Record nothing new in this namespace.
    RemovePod(NetnsCookie),
    /// Give the slot back.
    Free(Slot),
}

/// What to do, and the pods for which there is no slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub actions: Vec<Action>,
    pub no_slot: Vec<PodName>,
}

/// Plans. Running the plan and planning again gives an empty plan, but for what waits for the grace period.
pub fn plan(targets: &[Target], observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let wanted: BTreeMap<NetnsCookie, &Target> = targets.iter().map(|t| (t.cookie, t)).collect();
    let slots: BTreeMap<NetnsCookie, Slot> =
        observed.policies.iter().map(|(slot, policy)| (NetnsCookie(policy.netns_cookie), *slot)).collect();
    release(&wanted, observed, &mut plan);
    let taken: BTreeSet<Slot> = observed.policies.keys().copied().collect();
    let mut free = (0..MAX_PODS).map(Slot).filter(|slot| !taken.contains(slot));
    for (cookie, target) in wanted {
        let known = slots.get(&cookie).copied();
        let Some(slot) = known.or_else(|| free.next()) else {
            plan.no_slot.push(target.pod.clone());
            continue;
        };
        let policy = retire_if_due(policy(target), slot, observed);
        if observed.policies.get(&slot) != Some(&policy) {
            plan.actions.push(Action::SetPolicy { slot, policy, fresh: known.is_none() });
        }
        let entry = MappedPod { cookie, slot, pod: target.pod.clone() };
        if !observed.pods.contains(&entry) {
            // The policy first: a program that finds the pod must find its policy.
            plan.actions.push(Action::AddPod(entry));
            plan.actions.push(Action::Import(cookie));
        }
    }
    plan
}

/// Pods that are not wanted any more.
fn release(wanted: &BTreeMap<NetnsCookie, &Target>, observed: &Observed, plan: &mut Plan) {
    for pod in observed.pods.iter().filter(|pod| !wanted.contains_key(&pod.cookie)) {
        plan.actions.push(Action::RemovePod(pod.cookie));
    }
    for (&slot, policy) in &observed.policies {
        if wanted.contains_key(&NetnsCookie(policy.netns_cookie)) {
            continue;
        }
        let promoted = observed.tallies.get(&slot).is_some_and(|tally| tally.promoted > 0);
        if policy.flags & RETIRE != 0 && !promoted {
            plan.actions.push(Action::Free(slot));
            continue;
        }
        let passing = Policy { flags: policy.flags & !(ENFORCE | EAGER), ..*policy };
        let next = retire_if_due(passing, slot, observed);
        if next != *policy {
            plan.actions.push(Action::SetPolicy { slot, policy: next, fresh: false });
        }
    }
}

/// Sockets of a slot that does not enforce leave the SOCKHASH, once it has not for the grace period.
fn retire_if_due(policy: Policy, slot: Slot, observed: &Observed) -> Policy {
    if policy.flags & ENFORCE != 0 {
        return policy;
    }
    let retiring = observed.policies.get(&slot).is_some_and(|current| current.flags & (RETIRE | ENFORCE) == RETIRE);
    let due = observed.passing_for.get(&slot).is_some_and(|passing| *passing >= GRACE);
    if retiring || due { Policy { flags: policy.flags | RETIRE, ..policy } } else { policy }
}

/// A pod's settings as the programs read them. What does not fit was refused when the object was read.
fn policy(target: &Target) -> Policy {
    let settings = &target.settings;
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    let mut policy = Policy {
        netns_cookie: target.cookie.0,
        flags: flag(settings.enabled && !settings.observe, ENFORCE)
            | flag(settings.observe, OBSERVE)
            | flag(settings.eager, EAGER)
            | flag(settings.node_local, NODE_LOCAL)
            | flag(settings.any_pair, ANY_PAIR)
            | flag(settings.known_proxy, KNOWN_PROXY),
        max_bytes: settings.max_bytes,
        max_messages: settings.max_messages,
        keep_alive: nanoseconds(target.keep_alive.open),
        keep_alive_half_closed: nanoseconds(target.keep_alive.half_closed),
        ..Policy::free()
    };
    copy(&mut policy.sidecar_ports, settings.sidecar_ports.iter().copied());
    copy(&mut policy.excluded_ports, settings.excluded_ports.iter().copied());
    policy.proxy_uids = [NO_UID; 2];
    copy(&mut policy.proxy_uids, settings.proxy_uids.iter().copied());
    copy(
        &mut policy.loopback_sources,
        settings.loopback_sources.iter().map(|address| match address {
            std::net::IpAddr::V4(v4) => *Endpoint::v4(v4.octets(), 0).address(),
            std::net::IpAddr::V6(v6) => v6.octets(),
        }),
    );
    policy
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn copy<T>(target: &mut [T], source: impl Iterator<Item = T>) {
    for (target, source) in target.iter_mut().zip(source) {
        *target = source;
    }
}

#[cfg(test)]
mod tests;
