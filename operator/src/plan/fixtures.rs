//! Objects for tests, by verbs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use meshaccel_crds::names::FINALIZER;
use meshaccel_crds::{
    Conflict, LabelSelector, MeshAccelerationSpec, MeshAccelerationStatus, NodeAccelerationStatus, Phase, Share,
};

use super::daemon::DaemonSettings;
use super::observed::{Acceleration, Kind, Node, Now, Observed, Report};
use super::{Action, StatusWrite};

pub fn settings() -> DaemonSettings {
    DaemonSettings {
        namespace: "meshaccel-system".into(),
        image: "localhost/meshaccel/node:dev".into(),
        max_unavailable: "1".into(),
        log: "info".into(),
    }
}

pub fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A cluster at a time.
pub struct Cluster {
    pub observed: Observed,
    pub now: Now,
}

impl Cluster {
    /// With nodes of these names, each with the label `zone` of its name's first letter.
    pub fn with_nodes(names: &[&str]) -> Self {
        let wall: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut observed = Observed::default();
        observed.synced.extend(Kind::ALL);
        let mut cluster = Self { observed, now: Now { wall, instant: Instant::now() } };
        for name in names {
            let node = Node { uid: format!("uid-of-{name}"), labels: labels(&[("zone", &name[..1])]) };
            cluster.observed.nodes.insert((*name).to_owned(), node);
        }
        cluster
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now.instant += Duration::from_secs(seconds);
        self.now.wall += SignedDuration::from_secs(seconds.try_into().unwrap());
        self
    }

    /// A MeshAcceleration that the operator has taken into care.
    pub fn object(&mut self, name: &str) -> &mut Acceleration {
        self.observed.accelerations.entry(name.to_owned()).or_insert_with(|| Acceleration {
            name: name.into(),
            uid: format!("uid-of-{name}"),
            version: "1".into(),
            generation: 1,
            finalizers: vec![FINALIZER.into()],
            deletion_seen: None,
            spec: Ok(MeshAccelerationSpec {
                pod_selector: Some(LabelSelector::default()),
                ..MeshAccelerationSpec::default()
            }),
            status: MeshAccelerationStatus::default(),
        })
    }

    /// A person deletes it.
    pub fn delete(&mut self, name: &str) -> &mut Self {
        let now = self.now.instant;
        let object = self.object(name);
        object.deletion_seen = Some(now);
        object.generation += 1;
        // The API server keeps only what has a finalizer.
        if object.finalizers.is_empty() {
            self.observed.accelerations.remove(name);
        }
        self
    }

    /// A daemon writes its report.
    pub fn report(&mut self, node: &str, shares: Vec<Share>) -> &mut Report {
        let programs =
            if shares.iter().any(|share| share.phase != Phase::Released) { vec!["ma_skmsg".into()] } else { vec![] };
        let report = Report {
            uid: format!("report-of-{node}"),
            node_uid: Some(format!("uid-of-{node}")),
            status: NodeAccelerationStatus {
                reported_at: Some(Time(self.now.wall)),
                programs,
                accelerations: shares,
                ..NodeAccelerationStatus::default()
            },
            seen: self.now.instant,
            heard: self.now.instant,
            old: false,
        };
        self.observed.reports.insert(node.to_owned(), report);
        self.observed.reports.get_mut(node).unwrap()
    }

    pub fn plan(&self) -> Vec<Action> {
        super::plan(&self.observed, &settings(), self.now)
    }

    /// The status that is written of an object; what is stored, if none is.
    pub fn status(&mut self, name: &str) -> MeshAccelerationStatus {
        let written = self.writes().into_iter().find(|write| write.name == name).map(|write| write.status);
        written.unwrap_or_else(|| self.object(name).status.clone())
    }

    pub fn writes(&self) -> Vec<StatusWrite> {
        self.plan()
            .into_iter()
            .filter_map(|action| match action {
                Action::WriteStatus(write) => Some(write),
                _ => None,
            })
            .collect()
    }

    /// `True Programmed: Runs on 2 nodes`.
    pub fn says(&mut self, name: &str, kind: &str) -> String {
        let status = self.status(name);
        let condition = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
        format!("{} {}: {}", condition.status, condition.reason, condition.message)
    }

    /// Carries a plan out on plain data, as the API server would.
    pub fn carry_out(&mut self) -> Vec<Action> {
        let actions = self.plan();
        for action in &actions {
            match action {
                Action::AddFinalizer(handle) => self.object(&handle.name).finalizers.clone_from(&handle.finalizers),
                Action::RemoveFinalizer(handle, _) => drop(self.observed.accelerations.remove(&handle.name)),
                Action::WriteStatus(write) => self.object(&write.name).status = write.status.clone(),
                Action::ApplyDaemonSet(object) => {
                    self.observed.daemon_set = Some(serde_json::from_value(object.body.clone()).unwrap());
                }
                Action::DeleteDaemonSet(_) => self.observed.daemon_set = None,
                Action::DeleteReport { name, .. } => drop(self.observed.reports.remove(name)),
                Action::KeepAccess(_) | Action::RemoveAccess(_) => {}
            }
        }
        actions
    }
}

pub fn share(object: &str, generation: i64, phase: Phase) -> Share {
    Share {
        name: object.into(),
        uid: format!("uid-of-{object}"),
        observed_generation: generation,
        phase,
        ..Share::default()
    }
}

pub fn conflict(with: &str, wins: bool, pods: i64) -> Conflict {
    Conflict { with: with.into(), wins, pods, example: "shop/cart-1".into() }
}
