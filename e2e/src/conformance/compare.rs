//! Plays behaviours on plain and on redirected connections and says which differ.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::known::{self, Known};
use super::{Behaviour, Scene};
use crate::daemon::Daemon;
use crate::manifest::Promotion;
use crate::stage::Pods;
use crate::traffic::{Pair, request};
use crate::wait;

const ATTEMPTS: usize = 6;
const LIMIT: Duration = Duration::from_secs(10);
/// What takes longer is worth a line of the output: the suite shall stay quick.
const SLOW: Duration = Duration::from_secs(1);

/// Two traces of one behaviour.
pub struct Difference {
    pub behaviour: Behaviour,
    pub plain: Vec<String>,
    pub redirected: Vec<String>,
}

impl Difference {
    /// Both traces, the lines that differ marked.
    pub fn render(&self) -> String {
        let Self { behaviour, plain, redirected } = self;
        let mut text = format!("{} ({})\n", behaviour.name, behaviour.page);
        for (mark, line) in aligned(plain, redirected) {
            text += &format!("  {mark} {line}\n");
        }
        text
    }
}

/// Both texts line by line: what both have once, what only the first has with `-`, what only the second has with `+`.
fn aligned<'a>(first: &'a [String], second: &'a [String]) -> Vec<(char, &'a str)> {
    // Length of the longest common subsequence of what is left of both.
    let mut common = vec![vec![0usize; second.len() + 1]; first.len() + 1];
    for at in (0..first.len()).rev() {
        for other in (0..second.len()).rev() {
            common[at][other] = if first[at] == second[other] {
                common[at + 1][other + 1] + 1
            } else {
                common[at + 1][other].max(common[at][other + 1])
            };
        }
    }
    let (mut at, mut other, mut lines) = (0, 0, Vec::new());
    while at < first.len() || other < second.len() {
        if at < first.len() && other < second.len() && first[at] == second[other] {
            lines.push((' ', first[at].as_str()));
            at += 1;
            other += 1;
        } else if other == second.len() || (at < first.len() && common[at + 1][other] >= common[at][other + 1]) {
            lines.push(('-', first[at].as_str()));
            at += 1;
        } else {
            lines.push(('+', second[other].as_str()));
            other += 1;
        }
    }
    lines
}

/// Two pods, of which a daemon knows one, and the role that the clients play.
pub struct Theatre {
    pods: Pods,
    daemon: Daemon,
    client_sends: bool,
}

impl Theatre {
    pub fn open(promotion: Promotion) -> Result<Self> {
        let pods = Pods::new(2)?;
        let daemon = pods.accelerate_first(promotion)?;
        // Both roles of both ends are seen, one with each promotion.
        Ok(Self { pods, daemon, client_sends: promotion == Promotion::Auto })
    }

    /// A connection that nobody redirects.
    pub fn plain(&self) -> Result<Scene> {
        let mut pair = self.pods.pair(1)?;
        request::by_hand(&mut pair, 12, 64)?;
        Scene::new(pair, self.client_sends)
    }

    /// Connections that are redirected both ways, made together because each takes a moment to be promoted.
    pub fn warm(&self, count: usize) -> Result<Vec<Pair>> {
        let mut pairs = (0..count).map(|_| self.pods.pair(0)).collect::<Result<Vec<_>>>()?;
        self.daemon.warm_all(&mut pairs)?;
        Ok(pairs)
    }

    /// A scene on a warm connection, once the messages of this very moment have been redirected both ways.
    pub fn redirected(&self, mut pair: Pair) -> Result<Scene> {
        wait::wait_for(LIMIT, "both directions to be redirected right now", || {
            let before = self.counters(&pair)?;
            request::by_hand(&mut pair, 1, 64)?;
            let after = self.counters(&pair)?;
            ensure!(after[0] > before[0] && after[1] > before[1], "redirected {before:?}, then {after:?}");
            Ok(())
        })?;
        Scene::new(pair, self.client_sends)
    }

    fn counters(&self, pair: &Pair) -> Result<[u64; 2]> {
        let connections = self.daemon.connections()?;
        let (client, server) = connections.both(pair)?;
        Ok([client.redirected.messages, server.redirected.messages])
    }

    /// The traces of plain TCP: played until one comes again. Most behaviours have one only; where what is seen depends
    /// on the scheduler, any of them is TCP's.
    pub fn expected(&self, behaviour: &Behaviour) -> Result<Vec<Vec<String>>> {
        let mut seen: Vec<Vec<String>> = Vec::new();
        for _ in 0..ATTEMPTS {
            let trace = play(behaviour, self.plain()?)?;
            if seen.contains(&trace) {
                return Ok(seen);
            }
            seen.push(trace);
        }
        bail!("{} gave {ATTEMPTS} different traces on plain TCP: {seen:#?}", behaviour.name)
    }
}

fn play(behaviour: &Behaviour, mut scene: Scene) -> Result<Vec<String>> {
    (behaviour.run)(&mut scene).with_context(|| format!("{} could not be played", behaviour.name))?;
    Ok(scene.into_trace())
}

/// Plays all of these and fails if anything differs that is not [`known`], or if something known does not.
pub fn check(promotion: Promotion, behaviours: &[Behaviour]) -> Result<()> {
    let theatre = Theatre::open(promotion)?;
    let warm = theatre.warm(behaviours.len())?;
    let mut differences = Vec::new();
    for (behaviour, pair) in behaviours.iter().zip(warm) {
        eprintln!("PLAY {}", behaviour.name);
        let start = Instant::now();
        let mut plain = theatre.expected(behaviour)?;
        let scene = theatre.redirected(pair)?;
        let between = start.elapsed();
        let redirected = play(behaviour, scene)?;
        if start.elapsed() > SLOW {
            let (plain, all) = (between.as_secs_f32(), start.elapsed().as_secs_f32());
            eprintln!("{} took {all:.1} s, {plain:.1} of it on plain TCP", behaviour.name);
        }
        if !plain.contains(&redirected) {
            let plain = plain.swap_remove(0);
            differences.push(Difference { behaviour: *behaviour, plain, redirected });
        }
    }
    judge(behaviours, &differences)
}

fn judge(behaviours: &[Behaviour], differences: &[Difference]) -> Result<()> {
    let differs = |name: &str| differences.iter().any(|difference| difference.behaviour.name == name);
    let played = |name: &str| behaviours.iter().any(|behaviour| behaviour.name == name);
    let mut wrong = Vec::new();
    for difference in differences {
        let text = difference.render();
        match known::find(difference.behaviour.name) {
            Some(Known { why, .. }) => eprintln!("known, {why}:\n{text}"),
            None => wrong.push(text),
        }
    }
    for Known { name, sometimes, .. } in known::KNOWN {
        if played(name) && !differs(name) && !sometimes {
            wrong.push(format!("{name} is known to differ, but does not\n"));
        }
    }
    let count = wrong.len();
    ensure!(wrong.is_empty(), "{count} of {} (- plain TCP, + redirected):\n\n{}", behaviours.len(), wrong.join("\n"));
    Ok(())
}
