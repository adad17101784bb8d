//! Carries actions out. The only module that writes, apart from the Lease.
//!
//! Each write is preceded by the question whether this process still leads, and ends within [`ANSWER`], so that nothing of
//! one leader is on its way when the next one begins. Whatever fails is said once, and tried again with growing pauses. What
//! came of it is told as [`Outcome`]s: what is known of the cluster is not written here.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::DaemonSet;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, api::Api, core::DynamicObject};
use meshaccel_service::Backoff;

use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::plan::Action;
use crate::plan::daemon::{DaemonSettings, OPERATOR};
use crate::rate_limiter::RateLimiter;

pub mod owned;
pub mod write;

use write::Failure;

/// No write takes longer. Less than the time between two leaders' terms.
const ANSWER: Duration = Duration::from_millis(2500);
/// Pauses of one object's writes after failures.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];
/// How many writes are on their way at once.
const AT_ONCE: usize = 8;
/// How often the objects are looked at that nobody watches.
const LOOK_AFTER: Duration = Duration::from_secs(60);

/// What came of an action, as far as it changes what is known of the cluster: the answer is there before a watch tells it.
#[derive(Debug)]
pub enum Outcome {
    /// A MeshAcceleration, as the API server has it now.
    Written(Box<DynamicObject>),
    /// The DaemonSet, as the API server has it now; `None`: it is deleted.
    DaemonSet(Option<Box<DaemonSet>>),
    /// A NodeAcceleration is deleted: its name.
    ReportDeleted(String),
    /// Why the daemon's objects cannot be written, in a sentence for people; `None`: they can.
    Blocked(Option<String>),
}

/// Carries actions out.
pub struct Applier {
    client: Client,
    term: Leadership,
    recorder: Recorder,
    metrics: Metrics,
    rate_limiter: RateLimiter,
    /// What failed last, by what was to be written.
    failing: BTreeMap<String, Failing>,
    /// Whether the daemon's rights were seen to be there (or gone), and when.
    access: Option<(bool, Instant)>,
}

/// Something that failed and is tried again.
struct Failing {
    backoff: Backoff,
    again: Instant,
    sentence: String,
    /// The API server refused it, and it concerns the daemon's objects: people must know.
    blocks: bool,
}

impl Applier {
    pub fn new(client: Client, term: Leadership, metrics: Metrics, identity: String) -> Self {
        let reporter = Reporter { controller: OPERATOR.into(), instance: Some(identity) };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            term,
            metrics,
            rate_limiter: RateLimiter::default(),
            failing: BTreeMap::new(),
            access: None,
        }
    }

    /// Carries out what is due, tells what came of each action as soon as that is known, and gives the time until the rest is due, if
    /// there is any.
    #[tracing::instrument(name = "apply", level = "debug", skip_all, fields(actions = actions.len()))]
    pub async fn carry_out(
        &mut self,
        actions: Vec<Action>,
        settings: &DaemonSettings,
        tell: &impl Fn(Outcome),
    ) -> Option<Duration> {
        let now = Instant::now();
        let wanted: HashSet<String> = actions.iter().map(key).collect();
        self.failing.retain(|key, _| wanted.contains(key));
        let objects = actions.iter().filter(|action| matches!(action, Action::WriteStatus(_))).count();
        let (mut due, mut later) = (Vec::new(), Vec::new());
        for action in actions {
            let wait = self.wait(&action, objects, now);
            if wait.is_zero() { due.push(action) } else { later.push(wait) }
        }
        // The daemon's objects one after the other: rights before pods, and the other way round.
        let (deployment, rest): (Vec<Action>, Vec<Action>) = due.into_iter().partition(is_deployment);
        for action in deployment {
            let result = self.perform(&action, settings, tell).await;
            self.note(&action, result);
        }
        // What stops the daemon from being deployed stands in every object's status.
        let blocking = self.failing.values().find(|failing| failing.blocks);
        tell(Outcome::Blocked(blocking.map(|failing| failing.sentence.clone())));
        let results: Vec<(Action, Result<(), Failure>)> = {
            let this = &*self;
            futures::stream::iter(rest)
                .map(|action| async move {
                    let result = this.perform(&action, settings, tell).await;
                    (action, result)
                })
                .buffer_unordered(AT_ONCE)
                .collect()
                .await
        };
        for (action, result) in results {
            self.note(&action, result);
        }
        later.extend(self.failing.values().map(|failing| failing.again.saturating_duration_since(now)));
        later.into_iter().min()
    }

    /// How long an action must wait.
    fn wait(&self, action: &Action, objects: usize, now: Instant) -> Duration {
        if let Some(failing) = self.failing.get(&key(action)) {
            return failing.again.saturating_duration_since(now);
        }
        match action {
            Action::WriteStatus(write) => self.rate_limiter.wait(&write.uid, write.priority, objects, now),
            Action::KeepAccess(_) | Action::RemoveAccess(_) => {
                let keep = matches!(action, Action::KeepAccess(_));
                match self.access {
                    Some((kept, at)) if kept == keep => (at + LOOK_AFTER).saturating_duration_since(now),
                    _ => Duration::ZERO,
                }
            }
            _ => Duration::ZERO,
        }
    }

    #[tracing::instrument(name = "write", skip_all, fields(action = kind(action), object = key(action)))]
    async fn perform(
        &self,
        action: &Action,
        settings: &DaemonSettings,
        tell: &impl Fn(Outcome),
    ) -> Result<(), Failure> {
        let kind = kind(action);
        let result = self.perform_once(action, settings, tell).await;
        self.metrics.wrote(kind, &result);
        result
    }

    async fn perform_once(
        &self,
        action: &Action,
        settings: &DaemonSettings,
        tell: &impl Fn(Outcome),
    ) -> Result<(), Failure> {
        let written = |object| tell(Outcome::Written(Box::new(object)));
        tracing::debug!(key = key(action), "Carrying out");
        match action {
            Action::AddFinalizer(handle) => {
                written(self.set_finalizers(handle).await?);
                tracing::info!(name = handle.name, "Took a MeshAcceleration into care");
                Ok(())
            }
            Action::RemoveFinalizer(handle, event) => {
                written(self.set_finalizers(handle).await?);
                tracing::info!(name = handle.name, note = event.note, "Let a MeshAcceleration go");
                self.tell(&handle.name, &handle.uid, std::slice::from_ref(event)).await;
                Ok(())
            }
            Action::WriteStatus(write) => {
                written(self.write_status(write).await?);
                self.tell(&write.name, &write.uid, &write.events).await;
                Ok(())
            }
            Action::KeepAccess(objects) => {
                let mut result = Ok(());
                for object in objects {
                    // One that fails does not keep the others from being made.
                    result = result.and(self.keep(object).await);
                }
                result
            }
            Action::ApplyDaemonSet(object) => {
                let written = self.apply(object).await?;
                tracing::info!(namespace = settings.namespace, name = object.name, "Applied the DaemonSet");
                tell(Outcome::DaemonSet(serde_json::to_value(written).and_then(serde_json::from_value).ok()));
                Ok(())
            }
            Action::DeleteDaemonSet(object) => {
                self.delete(object, None).await?;
                tracing::info!(namespace = settings.namespace, name = object.name, "Deleted the DaemonSet");
                tell(Outcome::DaemonSet(None));
                Ok(())
            }
            Action::RemoveAccess(objects) => {
                for object in objects {
                    self.remove(object).await?;
                }
                Ok(())
            }
            Action::DeleteReport { name, uid } => {
                self.delete_report(name, uid).await?;
                tracing::debug!(name, "Deleted a NodeAcceleration that nobody writes any more");
                tell(Outcome::ReportDeleted(name.clone()));
                Ok(())
            }
        }
    }

    /// Remembers how it went.
    fn note(&mut self, action: &Action, result: Result<(), Failure>) {
        let (key, now) = (key(action), Instant::now());
        if let Action::WriteStatus(write) = action {
            self.rate_limiter.wrote(&write.uid, now);
        }
        match result {
            Ok(()) => {
                if let Action::KeepAccess(_) | Action::RemoveAccess(_) = action {
                    self.access = Some((matches!(action, Action::KeepAccess(_)), now));
                }
                if let Some(failing) = self.failing.remove(&key)
                    && !failing.sentence.is_empty()
                {
                    tracing::info!("Solved: {}", failing.sentence);
                }
            }
            // The next leader does it.
            Err(Failure::Deposed) => {}
            Err(failure) => {
                let sentence = failure.sentence();
                let failing = self.failing.entry(key).or_insert_with(|| Failing {
                    backoff: Backoff::new(PAUSES[0], PAUSES[1]),
                    again: now,
                    sentence: String::new(),
                    blocks: false,
                });
                failing.again = now + failing.backoff.failed();
                failing.blocks = is_deployment(action) && matches!(failure, Failure::Refused(_));
                if !sentence.is_empty() && failing.sentence != sentence {
                    tracing::warn!("{sentence}; trying again");
                    failing.sentence = sentence;
                }
            }
        }
    }

    /// Forgets what belongs to objects that are gone; `there`: the uids of those that are not.
    pub fn forget(&mut self, there: &HashSet<&str>) {
        self.rate_limiter.keep(there);
    }

    fn api(&self, resource: &kube::discovery::ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }
}

/// What an action writes, so that a failure is told from another.
fn key(action: &Action) -> String {
    match action {
        Action::AddFinalizer(handle) | Action::RemoveFinalizer(handle, _) => format!("finalizer of {}", handle.name),
        Action::WriteStatus(write) => format!("status of {}", write.name),
        Action::KeepAccess(_) => "access".into(),
        Action::RemoveAccess(_) => "no access".into(),
        Action::ApplyDaemonSet(_) => "daemon".into(),
        Action::DeleteDaemonSet(_) => "no daemon".into(),
        Action::DeleteReport { name, .. } => format!("report {name}"),
    }
}

/// The label of an action in the metrics.
fn kind(action: &Action) -> &'static str {
    match action {
        Action::AddFinalizer(_) | Action::RemoveFinalizer(..) => "finalizer",
        Action::WriteStatus(_) => "status",
        Action::KeepAccess(_) | Action::RemoveAccess(_) => "access",
        Action::ApplyDaemonSet(_) | Action::DeleteDaemonSet(_) => "daemonset",
        Action::DeleteReport { .. } => "report",
    }
}

fn is_deployment(action: &Action) -> bool {
    matches!(
        action,
        Action::KeepAccess(_) | Action::RemoveAccess(_) | Action::ApplyDaemonSet(_) | Action::DeleteDaemonSet(_)
    )
}

#[cfg(test)]
mod tests;
