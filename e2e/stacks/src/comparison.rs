//! One stack on plain TCP and accelerated: two namespaces (or meshes), of which the daemon knows one, the same cases in both.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;
use meshaccel_e2e_mesh::interception::Provider;
use meshaccel_e2e_mesh::{Mesh, accelerate, ports, sweep};
use serde::{Deserialize, Serialize};

use super::cases::{Case, Ground};
use super::finding::{self, Finding};
use super::share::{self, Share};
use super::site::Site;
use super::stack::{Asks, HalfClose, Stack};

/// What a run found: a line of the table, kept as a file until the table is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub stack: String,
    /// "namespace" or "Envoys".
    pub place: String,
    pub promotion: String,
    /// Case, plain, accelerated.
    pub cases: Vec<(String, Finding, Finding)>,
    pub share: Share,
    pub red: Vec<String>,
}

impl Record {
    /// Where records are kept: stacks-out in the repository, or `$MESHACCEL_STACKS_OUT`.
    pub fn folder() -> PathBuf {
        std::env::var_os("MESHACCEL_STACKS_OUT")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../stacks-out")), PathBuf::from)
    }

    pub fn keep(&self) -> Result<()> {
        std::fs::create_dir_all(Self::folder())?;
        let name = format!("{}-{}-{}.json", self.stack, self.place, self.promotion).replace([' ', '/'], "_");
        let path = Self::folder().join(name);
        std::fs::write(&path, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Says everything, and fails with what is red.
    pub fn verdict(&self) -> Result<()> {
        for (case, plain, accelerated) in &self.cases {
            eprintln!("    {case}: plain: {plain}\n    {:width$}  accelerated: {accelerated}", "", width = case.len());
        }
        let Share { redirected, tcp, reasons, sockets } = &self.share;
        eprintln!(
            "--- {}, {}, {}: {:.0} % of the bytes redirected ({redirected} of {}), {sockets} sockets seen; reasons: {reasons:?}",
            self.stack,
            self.place,
            self.promotion,
            self.share.percent(),
            redirected + tcp,
        );
        ensure!(self.red.is_empty(), "{} in {} of its cases:\n{}", self.stack, self.red.len(), self.red.join("\n"));
        Ok(())
    }
}

/// Fails with every case in which acceleration is not plain TCP.
pub fn compare(stack: &Stack, promotion: Promotion) -> Result<()> {
    sweep::leftovers();
    // The first pod is the one that the daemon knows.
    let pods = Pods::new(2)?;
    let daemon = pods.accelerate_first(promotion)?;
    let (inside, outside) = (Site::alone(pods.netns(0))?, Site::alone(pods.netns(1))?);
    let record = both(stack, &Case::of(stack), [&outside, &inside], &daemon)?;
    finish(Record { place: "namespace".to_owned(), promotion: format!("{promotion:?}"), ..record })
}

/// The same behind the sidecars of two meshes, of which the daemon knows one.
pub fn compare_behind_envoys(stacks: &[&Stack], promotion: Promotion) -> Result<()> {
    let (outside, inside) = (Mesh::start(Provider::Istio, 1)?, Mesh::start(Provider::Istio, 1)?);
    let daemon = accelerate::start(&inside, promotion)?;
    let mut red = Vec::new();
    for stack in stacks {
        let found = behind(&outside).and_then(|outside| {
            let inside = behind(&inside)?;
            both(stack, &Case::behind_envoys(stack), [&outside, &inside], &daemon)
        });
        let verdict = found.with_context(|| format!("{} behind Envoys", stack.name)).and_then(|record| {
            finish(Record { place: "Envoys".to_owned(), promotion: format!("{promotion:?}"), ..record })
        });
        // One stack that differs does not hide the others.
        if let Err(error) = verdict {
            red.push(format!("{error:#}"));
        }
    }
    ensure!(red.is_empty(), "{}", red.join("\n"));
    Ok(())
}

fn behind(mesh: &Mesh) -> Result<Site<'_>> {
    Site::between(mesh.client().netns(), mesh.server().netns(), mesh.server().v4(), ports::HTTP1)
}

fn finish(record: Record) -> Result<()> {
    record.keep()?;
    record.verdict()
}

/// Runs the cases on plain TCP, then accelerated, and judges them. Sites: plain, accelerated.
fn both(stack: &Stack, cases: &[Case], sites: [&Site<'_>; 2], daemon: &Daemon) -> Result<Record> {
    let start = Instant::now();
    let [outside, inside] = sites;
    let mut outside_server = (stack.server)(outside).with_context(|| format!("{} on plain TCP", stack.name))?;
    let mut inside_server = (stack.server)(inside).with_context(|| format!("{}, accelerated", stack.name))?;
    // Sidecars of HTTP answer in the server's place, and only to clients that are still whole.
    let half_close = match stack.asks {
        Asks::Http(_) if outside.behind_sidecars() => HalfClose::Races,
        _ => stack.half_close,
    };
    let plain = Ground { stack, site: outside, port: outside_server.port, half_close };
    let accelerated = Ground { stack, site: inside, port: inside_server.port, half_close };
    let before = cases.iter().map(|&case| plain.run(case)).collect::<Result<Vec<_>>>()?;
    for (case, finding) in cases.iter().zip(&before) {
        ensure!(
            *case == Case::HalfClose || finding.outcome == Finding::good().outcome,
            "{} does not pass {} on plain TCP: {finding}",
            stack.name,
            case.name(stack)
        );
    }
    let run = || cases.iter().map(|&case| accelerated.run(case)).collect::<Result<Vec<_>>>();
    let (after, share) = share::during(daemon, run)?;
    let mut red = Vec::new();
    for ((&case, before), after) in cases.iter().zip(&before).zip(&after) {
        let again = |inside: bool| if inside { accelerated.run(case) } else { plain.run(case) };
        if let Some(sentence) = finding::judge(before, after, again)? {
            red.push(format!("{}: {sentence}", case.name(stack)));
        }
    }
    inside_server.check().context("after its cases")?;
    outside_server.check().context("on plain TCP, after its cases")?;
    eprintln!("--- {} took {:.1} s", stack.name, start.elapsed().as_secs_f64());
    let names = cases.iter().map(|case| case.name(stack).to_owned());
    Ok(Record {
        stack: stack.name.to_owned(),
        place: String::new(),
        promotion: String::new(),
        cases: names.zip(before).zip(after).map(|((name, before), after)| (name, before, after)).collect(),
        share,
        red,
    })
}
