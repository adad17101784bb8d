//! What a kernel has to show: found out, redirected, switched off and on, the daemon killed and upgraded, removed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::bpf::{Object, Objects};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::traffic::{Family, Load, Pair, Reader, Shape, request, threads};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};

use super::fixture::Fixture;
use super::flags;
use super::found::Found;
use super::steps::Steps;
use super::web::Web;

const LIMIT: Duration = Duration::from_secs(30);
/// Where pins are.
pub const BPFFS: &str = "/sys/fs/bpf";
/// Connections under load: two that ask and answer, one that streams. More would starve the daemon of two emulated processors.
const CROWD: usize = 3;

/// True: every step went well.
pub fn tell() -> Result<bool> {
    let mut steps = Steps::new()?;
    let before = entries(BPFFS)?;
    let mut place = Fixture::new()?;
    let mut daemon = Daemon::unstarted("guest", place.manifests()?, &[])?;
    steps.report.found = steps.step("probe", || probe(&daemon));
    let found = steps.report.found.clone().unwrap_or_default();
    if let Some(manifests) = place.suit(&found)? {
        daemon = Daemon::unstarted("guest", manifests, &[])?;
    }
    steps.step("daemon", || Ok((daemon.restart()?, "ready".into())));
    steps.step("traffic", || traffic(&place, &daemon));
    let served = steps.step("nginx", || nginx(&place, &daemon));
    if let Some(served) = served {
        steps.fact("nginx", served);
    }
    steps.step("off and on", || off_and_on(&place, &daemon));
    if found.habits_by == "fentry" {
        steps.step("flags", || flags::are_seen(&place, &daemon));
    }
    let load = steps.step("kill and restart", || kill_and_restart(&place, &mut daemon));
    let load = load.and_then(|load| steps.step("upgrade", || upgrade(&place, &mut daemon, load)));
    if let Some(load) = load {
        steps.step("uninstall", || uninstall(&mut daemon, load, &before));
    }
    let log = daemon.log();
    Ok(steps.end(log))
}

/// The names in a folder.
pub fn entries(folder: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

fn probe(daemon: &Daemon) -> Result<(Found, String)> {
    let finished = daemon.run(&["probe", "-o", "json"])?;
    // What is in the way is in the JSON.
    ensure!(finished.code == Some(0), "{} {}", finished.stderr.trim(), finished.stdout.trim());
    let found: Found = serde_json::from_str(&finished.stdout).context("`probe -o json` printed something else")?;
    for finding in &found.findings {
        println!("meshaccel:   {}: {}", finding.what, finding.seen);
    }
    let redirected = found.about("redirect between two sockets").is_some_and(|finding| finding.works);
    ensure!(redirected, "probe says that nothing can be redirected here");
    ensure!(found.late_promotion, "probe says that no running connection can be promoted here");
    ensure!(found.habits_seen.len() == 3, "of what applications do, only this is seen: {:?}", found.habits_seen);
    // Of arm64 it is known to work from Linux 6.4 on.
    let entries = cfg!(target_arch = "x86_64");
    ensure!(!entries || found.habits_by == "fentry", "what applications do is seen by {}", found.habits_by);
    let said = format!("FIONREAD sees {}, what applications do by {}", found.fionread, found.habits_by);
    Ok((found, said))
}

/// Streams of every family, kind of reader and shape, of which every byte is compared.
fn traffic(place: &Fixture, daemon: &Daemon) -> Result<((), String)> {
    for family in Family::ALL {
        let mut pairs = place.pairs(family, Reader::ALL.len())?;
        place.warm(daemon, &mut pairs).with_context(|| format!("{family:?}"))?;
        let before = redirected(daemon, &pairs)?;
        for (pair, reader) in pairs.iter_mut().zip(Reader::ALL) {
            request::rounds(pair, 100, 1..=30 << 10, reader, 7)?;
        }
        let after = redirected(daemon, &pairs)?;
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            let reader = Reader::ALL[index];
            // Some take TCP now and then, as long as a look is needed.
            let all = if place.one_way() { 100 } else { 200 };
            let redirected = after - before;
            ensure!(redirected >= all / 2, "{family:?}, {reader:?}: {redirected} of {all} messages redirected");
        }
        threads::exchange(&mut pairs, |index| Shape::random(index as u64 + 11, 1 << 20).closing())?;
    }
    let all = daemon.messages("redirected")?;
    Ok(((), format!("{all} messages redirected")))
}

/// Messages that each connection has sent past the stack.
fn redirected(daemon: &Daemon, pairs: &[Pair]) -> Result<Vec<u64>> {
    pairs.iter().map(|pair| daemon.redirected(pair)).collect()
}

/// nginx answers rightly. Its connections are redirected, unless what it asks for (FIONREAD) is answered wrongly here: then
/// each that is not has a reason.
fn nginx(place: &Fixture, daemon: &Daemon) -> Result<(String, String)> {
    let netns = place.netns();
    let web = Web::start(netns)?;
    // Where only the sidecar is redirected to the client is one.
    let sidecar = Ipv4Addr::new(127, 0, 0, 6);
    let mut client = web.client(netns, place.one_way().then(|| (sidecar, 0).into()))?;
    let right = !place.one_way();
    let served = wait_for(LIMIT, "nginx's connections to be redirected, or judged", || {
        client.warm(10).context("small requests")?;
        let served = Served::now(daemon, &web)?;
        ensure!(served.judged(right), "{served:?}");
        Ok(served)
    })?;
    for round in 0..2 {
        client.exercise(&web).with_context(|| format!("round {round}; before it: {}", served.words()))?;
    }
    let words = Served::now(daemon, &web)?.words();
    Ok((words.clone(), format!("{} requests; {words}", client.requests())))
}

/// How nginx's connections are served.
#[derive(Debug, Default)]
struct Served {
    sockets: usize,
    redirected: usize,
    /// Why the others are not.
    reasons: BTreeSet<String>,
}

impl Served {
    fn now(daemon: &Daemon, web: &Web) -> Result<Self> {
        let mut served = Self::default();
        for row in daemon.connections()?.0 {
            if [&row.local, &row.remote].iter().all(|address| **address != web.address().to_string()) {
                continue;
            }
            served.sockets += 1;
            if row.redirected.messages > 0 {
                served.redirected += 1;
            } else {
                served.reasons.insert(row.reason.unwrap_or_else(|| "no reason".to_owned()));
            }
        }
        Ok(served)
    }

    /// Nothing is left to be seen.
    fn judged(&self, right: bool) -> bool {
        let waiting = ["no reason", "candidate", "unpaired", "peer_not_promoted", "reader_not_seen", "order_barrier"];
        let all = self.redirected == self.sockets;
        self.sockets > 0 && (all || !right && !self.reasons.iter().any(|reason| waiting.contains(&reason.as_str())))
    }

    fn words(&self) -> String {
        let Self { sockets, redirected, reasons } = self;
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
        let rest = if reasons.is_empty() { String::new() } else { format!(" (others: {})", reasons.join(", ")) };
        format!("{redirected} of {sockets} sockets redirected{rest}")
    }
}

fn off_and_on(place: &Fixture, daemon: &Daemon) -> Result<((), String)> {
    let mut pairs = place.pairs(Family::V4, 1)?;
    place.warm(daemon, &mut pairs)?;
    let mut pair = pairs.pop().context("one connection was asked for")?;
    for _ in 0..2 {
        daemon.run_ok(&["off"])?;
        let before = daemon.redirected(&pair)?;
        request::by_hand(&mut pair, 50, 1000)?;
        let connections = daemon.connections()?;
        let (client, server) = connections.both(&pair)?;
        ensure!(
            client.redirected.messages + server.redirected.messages == before,
            "redirected while off: {client:?} {server:?}"
        );
        ensure!(client.path == "tcp" && client.reason.as_deref() == Some("switched_off"), "{client:?}");
        daemon.run_ok(&["on"])?;
        wait_for(LIMIT, "redirection to come back", || {
            request::by_hand(&mut pair, 5, 64)?;
            ensure!(daemon.redirected(&pair)? > before, "nothing is redirected");
            Ok(())
        })?;
    }
    pair.close()?;
    Ok(((), "twice".into()))
}

/// Killed under load: what is pinned goes on without it, and with the next one.
fn kill_and_restart(place: &Fixture, daemon: &mut Daemon) -> Result<(Load, String)> {
    let mut pairs = place.pairs(Family::V4, CROWD)?;
    place.warm(daemon, &mut pairs)?;
    let load = Load::start(pairs, 41);
    for _ in 0..2 {
        daemon.kill9()?;
        goes_on(&load, daemon)?;
        daemon.restart()?;
        goes_on(&load, daemon)?;
    }
    Ok((load, "twice under load".into()))
}

/// Ten more bouts, and messages redirected meanwhile.
fn goes_on(load: &Load, daemon: &Daemon) -> Result<()> {
    let before = daemon.connections()?.redirected_messages();
    bouts(load)?;
    wait_for(LIMIT, "the load to be redirected", || {
        let now = daemon.connections()?.redirected_messages();
        ensure!(now > before, "{before} messages redirected before, {now} now");
        Ok(())
    })
}

fn bouts(load: &Load) -> Result<()> {
    let more = load.bouts() + 10;
    wait_until(LIMIT, "the load to go on", || (load.bouts() >= more || load.has_failed()).then_some(()))
}

/// Another version's pins, made by renaming their folder, are taken over under load.
fn upgrade(place: &Fixture, daemon: &mut Daemon, load: Load) -> Result<(Load, String)> {
    let folder = daemon.column().display().to_string();
    daemon.kill9()?;
    let own = entries(&folder)?.pop().context("a layout is pinned")?;
    std::fs::rename(daemon.column().join(&own), daemon.column().join("layout-4242"))?;
    daemon.restart()?;
    bouts(&load)?;
    let mut pairs = load.finish()?;
    let now = entries(&folder)?;
    ensure!(now == [own.as_str()], "pinned are {now:?}");
    // The same connections, found by the new one and promoted once more; the streams may have been no gain.
    let mut asking: Vec<Pair> = Vec::new();
    let mut streams: Vec<Pair> = Vec::new();
    for (index, pair) in pairs.drain(..).enumerate() {
        if Load::asks(index) { asking.push(pair) } else { streams.push(pair) }
    }
    place.warm(daemon, &mut asking)?;
    asking.extend(streams);
    Ok((Load::start(asking, 42), "another layout, under load".into()))
}

/// Removed under load by the verb, after a crash: nothing of it is left, and no stream notices.
fn uninstall(daemon: &mut Daemon, load: Load, before: &[String]) -> Result<((), String)> {
    let objects = daemon.objects()?;
    ensure!(objects.len() > 10, "an installation of only {} kernel objects was seen", objects.len());
    daemon.kill9()?;
    let said = daemon.run_ok(&["uninstall", "--timeout", "100s"])?;
    bouts(&load)?;
    for mut pair in load.finish()? {
        request::by_hand(&mut pair, 5, 64)?;
        pair.close()?;
    }
    nothing_left(&objects, before)?;
    Ok(((), said.trim().lines().next_back().unwrap_or_default().to_owned()))
}

/// None of these objects exists any more, none of our names either, and bpffs is as it was.
pub fn nothing_left(objects: &Objects, before: &[String]) -> Result<()> {
    let now = entries(BPFFS)?;
    ensure!(now == before, "{BPFFS} holds {now:?} instead of {before:?}");
    wait_for(LIMIT, "programs, maps and links to be freed", || {
        let left: Vec<&Object> = objects.iter().filter(|object| object.still_exists().unwrap_or(true)).collect();
        ensure!(left.is_empty(), "left: {left:?}");
        let named = Object::all("ma_")?;
        ensure!(named.is_empty(), "left: {named:?}");
        Ok(())
    })?;
    let netns = Path::new("/run/netns");
    ensure!(netns.is_dir(), "the pod is gone");
    Ok(())
}
