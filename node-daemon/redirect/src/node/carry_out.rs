//! Making the maps what they should be, and knowing when to go on where that takes time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use meshaccel_abi::redirect::Policy;
use meshaccel_abi::redirect::policy::{ENFORCE, RETIRE};
use meshaccel_bpf::sys::netns::Namespace;
use meshaccel_model::{NetnsCookie, PodName};
use meshaccel_service::Chain;

use super::Node;
use crate::apply::apply;
use crate::plan::{self, Action, Observed, Target};
use crate::pods::Slot;

/// Most sockets have left the SOCKHASH so long after they may; the others have unread bytes.
const RETIRED_WITHIN: Duration = Duration::from_millis(100);

impl Node {
    /// Plans and applies; gives the pods for which there is no slot.
    pub(super) fn carry_out(
        &mut self,
        targets: &[Target],
        by_cookie: &BTreeMap<NetnsCookie, &Namespace>,
        now: Instant,
    ) -> Result<BTreeSet<PodName>, crate::Error> {
        let policies: BTreeMap<_, _> = self.maps.policies()?.into_iter().collect();
        // Before anything may be redirected.
        self.watch_habits(
            targets.iter().any(|target| target.settings.enabled && !target.settings.observe)
                || policies.values().any(|policy| policy.flags & ENFORCE != 0),
        )?;
        self.passing_since.retain(|slot, _| policies.get(slot).is_some_and(|p| p.flags & ENFORCE == 0));
        let observed = Observed {
            pods: self.maps.pods()?,
            policies,
            tallies: self.tally.slots.clone(),
            passing_for: self.passing_since.iter().map(|(slot, since)| (*slot, now.duration_since(*since))).collect(),
        };
        let plan = tracing::info_span!("plan", targets = targets.len()).in_scope(|| plan::plan(targets, &observed));
        let failures = apply(&plan.actions, &mut self.maps, &self.loaded.import, by_cookie);
        let between_pods = |cookie: &NetnsCookie| targets.iter().any(|t| t.cookie == *cookie && t.settings.node_local);
        if plan.actions.iter().any(|action| matches!(action, Action::Import(cookie) if between_pods(cookie))) {
            self.importing.want(now);
        }
        for error in &failures {
            tracing::warn!(error = %Chain(error), "Could not carry out a part of the plan; trying again");
        }
        let policies = self.maps.policies()?;
        let wanted = |policy: &Policy| targets.iter().any(|target| target.cookie.0 == policy.netns_cookie);
        self.unfinished = !failures.is_empty();
        for (slot, policy) in policies.iter().filter(|(_, policy)| policy.flags & ENFORCE == 0) {
            self.passing_since.entry(*slot).or_insert_with(Instant::now);
            // One that does not retire yet waits for its grace period; one that retires and belongs to nobody waits for its
            // sockets.
            self.unfinished |= policy.flags & RETIRE == 0 || !wanted(policy);
        }
        self.due = if self.unfinished { self.due_after(&plan.actions, &policies, now) } else { None };
        self.slots = self.maps.pods()?.into_iter().map(|pod| (pod.pod, pod.slot)).collect();
        self.owners.retain(|slot, _| policies.iter().any(|(taken, _)| taken == slot));
        self.totals.retain(|slot, _| policies.iter().any(|(taken, _)| taken == slot));
        self.leaving = policies.into_iter().filter(|(_, policy)| !wanted(policy)).map(|(slot, _)| slot).collect();
        if plan.actions.iter().any(|action| matches!(action, Action::SetPolicy { .. } | Action::AddPod(_))) {
            tracing::info!(pods = targets.len(), actions = plan.actions.len(), "Carried out plan");
        }
        Ok(plan.no_slot.into_iter().collect())
    }

    /// When to go on: once sockets that may leave have had time to, or the first grace period ends. Nothing tells of either.
    fn due_after(&self, actions: &[Action], policies: &[(Slot, Policy)], now: Instant) -> Option<Instant> {
        let retires =
            |action: &Action| matches!(action, Action::SetPolicy { policy, .. } if policy.flags & RETIRE != 0);
        if actions.iter().any(retires) {
            return Some(now + RETIRED_WITHIN);
        }
        let passing = policies.iter().filter(|(_, policy)| policy.flags & (ENFORCE | RETIRE) == 0);
        let ends = passing.filter_map(|(slot, _)| Some(*self.passing_since.get(slot)? + plan::GRACE));
        // One that is over, and could not be acted upon, is tried again as everything else is.
        ends.filter(|end| *end > now).min()
    }

    fn watch_habits(&mut self, needed: bool) -> Result<(), crate::Error> {
        if self.watching != Some(needed) {
            if needed {
                self.loaded.habits.attach()?
            } else {
                self.loaded.habits.detach()?
            }
            self.watching = Some(needed);
        }
        Ok(())
    }
}
