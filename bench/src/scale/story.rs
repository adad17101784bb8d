//! One cluster size: all nodes are there before the operator; then they report now and then; then an object is edited and
//! all report at once; then the leader is killed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use meshaccel_crds::{MeshAcceleration, MeshAccelerationSpec};
use serde_json::json;

use super::control_plane::{self, ControlPlane};
use super::fleet::{Fleet, Object};
use super::process::Process;
use super::record::Record;
use super::result::{Phase, Size, Spread};
use super::sight::{self, Sight};
use super::{Settings, audit, block_on, detail, until};

/// A status is to be right long before.
const LIMIT: Duration = Duration::from_secs(300);
/// Reports of this time tell what a change of the leader costs.
const SUCCESSION: Duration = Duration::from_secs(45);

/// Names of phases, for table and picture.
pub const FIRST_SIGHT: &str = "first sight";
pub const STEADY: &str = "steady";
pub const BURST: &str = "all at once";
pub const SUCCESSOR: &str = "leader killed";

/// Tells it.
pub fn tell(settings: &Settings, nodes: usize) -> Result<Size> {
    detail("starting etcd and API server");
    control_plane::with(|plane| block_on(measure(settings, nodes, plane)))
}

async fn measure(settings: &Settings, nodes: usize, plane: ControlPlane<'_>) -> Result<Size> {
    let client = control_plane::client(plane.cluster).await?;
    let objects = objects(&client, settings.objects).await?;
    let fleet = Fleet::new(client.clone(), nodes, settings.pods_a_node, objects.clone());
    let began = Instant::now();
    detail(&format!("making {nodes} Nodes and NodeAccelerations"));
    fleet.appear().await?;
    detail(&format!("made, and reported, in {:.0} s", began.elapsed().as_secs_f64()));

    let sight = Sight::watch(&client);
    let leader = Process::operator("one", &plane.operator, plane.folder)?;
    let record = Record::new(plane.audit, audit::OPERATOR, leader.pid());
    let story = Story { settings, client, fleet, sight, record, objects };
    // Whichever ends first is an error, or the end of the story.
    tokio::select! {
        failed = story.record.go_on() => failed.and(Err(anyhow::anyhow!("the record ended"))),
        told = story.run(leader, &plane.operator, plane.folder) => told,
    }
}

/// MeshAccelerations that name every node.
async fn objects(client: &Client, count: usize) -> Result<Vec<Object>> {
    let api = Api::<MeshAcceleration>::all(client.clone());
    let mut objects = Vec::new();
    for index in 0..count {
        let name = format!("team-{index}");
        let spec: MeshAccelerationSpec =
            serde_json::from_value(json!({"podSelector": {"matchLabels": {"team": name}}}))?;
        let made = api.create(&PostParams::default(), &MeshAcceleration::new(&name, spec)).await?;
        let generation = made.metadata.generation.unwrap_or_default();
        objects.push(Object { name, uid: made.uid().unwrap_or_default(), generation });
    }
    Ok(objects)
}

/// An operator that is out of breath says so.
fn warnings(process: &Process) {
    process.warnings().iter().for_each(|line| detail(line));
}

struct Story<'a> {
    settings: &'a Settings,
    client: Client,
    fleet: Fleet,
    sight: Sight,
    record: Record,
    objects: Vec<Object>,
}

impl Story<'_> {
    async fn run(&self, mut leader: Process, kubeconfig: &std::path::Path, folder: &std::path::Path) -> Result<Size> {
        let nodes = self.fleet.len();
        let start = self.record.sample()?;
        let first = self.first_sight(&mut leader).await?;

        detail(&format!(
            "{} s in which each node reports every {} s",
            self.settings.steady.as_secs(),
            self.settings.every.as_secs()
        ));
        let steady = self.reporting(self.settings.steady).await?;

        detail("one object is edited, every node reports at once");
        let edited = self.edit().await?;

        let mut next = Process::operator("two", kubeconfig, folder)?;
        next.ready().await?;
        let peak = super::process::Account::of(leader.pid())?.peak;
        detail("the leader is killed");
        let settled = self.record.sample()?;
        warnings(&leader);
        leader.kill9()?;
        let killed = Instant::now();
        self.record.follow(next.pid());
        let newest = self.total();
        let watch = until("the next leader's first status", LIMIT, || Ok((self.total() != newest).then(Instant::now)));
        let (over, succeeded) = tokio::try_join!(self.reporting(SUCCESSION), watch)?;
        next.check()?;
        warnings(&next);
        let peak = peak.max(super::process::Account::of(next.pid())?.peak);

        let bounds =
            [(FIRST_SIGHT, start, first), (STEADY, first, steady), (BURST, steady, edited), (SUCCESSOR, settled, over)];
        let phases =
            bounds.into_iter().map(|(name, from, to)| self.phase(name, from, to)).collect::<Result<Vec<_>>>()?;
        let size = Size {
            nodes,
            pods: nodes * self.settings.pods_a_node,
            first_sight_s: (first - start).as_secs_f64(),
            edit_s: (edited - steady).as_secs_f64(),
            succession_s: (succeeded - killed).as_secs_f64(),
            peak_bytes: peak,
            moments: self.moments(),
            phases,
        };
        for phase in &size.phases {
            detail(&super::table::line(phase));
        }
        Ok(size)
    }

    /// From the operator's start until all statuses are complete.
    async fn first_sight(&self, leader: &mut Process) -> Result<Instant> {
        let nodes = self.fleet.len() as i64;
        let share = |index: usize| {
            self.settings.pods_a_node / self.objects.len()
                + usize::from(index < self.settings.pods_a_node % self.objects.len())
        };
        let pods: i64 = (0..self.objects.len()).map(|index| share(index) as i64 * nodes).sum();
        until("every status to count every node and pod", LIMIT, || {
            leader.check()?;
            let complete =
                |status: &sight::Status| status.programmed && status.desired == nodes && status.ready == nodes;
            let counted: i64 = self.sight.newest().values().map(|status| status.pods).sum();
            Ok((self.sight.all(self.objects.len(), complete) && counted == pods).then_some(()))
        })
        .await?;
        detail(&format!("statuses count {nodes} nodes and {pods} pods"));
        self.record.sample()
    }

    /// Nodes report at their pace for some time, until all that was reported is known.
    async fn reporting(&self, length: Duration) -> Result<Instant> {
        self.fleet.go_on(self.settings.every, length).await?;
        self.known().await?;
        self.record.sample()
    }

    /// One object changes, and with it what every node reports.
    async fn edit(&self) -> Result<Instant> {
        let object = self.objects.first().context("no object")?;
        let patch = json!({"spec": {"redirect": {"excludedPorts": [9999]}}});
        let api = Api::<MeshAcceleration>::all(self.client.clone());
        let edited = api.patch(&object.name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        let generation = edited.metadata.generation.unwrap_or_default();
        self.fleet.learn(&object.name, generation);
        let began = Instant::now();
        self.fleet.report_all().await?;
        detail(&format!("all have reported it after {:.0} s", began.elapsed().as_secs_f64()));
        let nodes = self.fleet.len() as i64;
        until("the edit to be in force everywhere", LIMIT, || {
            let newest = self.sight.newest();
            let status = newest.get(&object.name);
            let done = |status: &sight::Status| {
                status.observed_generation == generation && status.programmed && status.ready == nodes
            };
            Ok(status.is_some_and(done).then_some(()))
        })
        .await?;
        self.known().await?;
        self.record.sample()
    }

    /// Waits until every status knows every report.
    async fn known(&self) -> Result<()> {
        let reports = self.fleet.written().len() as i64;
        until("every report to be known", LIMIT, || {
            Ok(self.sight.all(self.objects.len(), |status| status.reports >= reports).then_some(()))
        })
        .await
    }

    /// Reports that all statuses together know.
    fn total(&self) -> i64 {
        self.sight.newest().values().map(|status| status.reports).sum()
    }

    fn phase(&self, name: &str, from: Instant, to: Instant) -> Result<Phase> {
        let (written, steps) = (self.fleet.written(), self.sight.steps());
        let delay = Spread::of(sight::delays(&written, &steps, from, to)?);
        Ok(Phase {
            name: name.to_owned(),
            from: self.record.seconds(from),
            to: self.record.seconds(to),
            reports: written.iter().filter(|report| report.sent >= from && report.sent < to).count(),
            delay,
            rates: self.record.rates(from, to)?,
        })
    }

    fn moments(&self) -> Vec<super::result::Moment> {
        let (written, steps) = (self.fleet.written(), self.sight.steps());
        let mut moments = self.record.moments();
        // What was reported before the operator was there is as old as the operator.
        for moment in &mut moments {
            moment.age = sight::age(&written, &steps, self.record.instant(moment.at)).min(moment.at);
        }
        moments
    }
}
