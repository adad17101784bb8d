//! Pods come and go: by the hundred, with and without their processes, and with a wish of their own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::both_promotions;
use meshaccel_e2e_harness::cgroup::Cgroup;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{self, Manifests, Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Load, request};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};

both_promotions!(
    pods_appear_and_vanish_by_the_hundred,
    a_pod_that_opted_out_is_left_alone,
    a_pod_that_is_deselected_goes_back_to_tcp,
    a_reader_that_comes_after_its_pod_was_deselected_finds_its_bytes,
    a_pod_is_found_by_its_cgroup,
    excluded_ports_stay_on_tcp,
);

const LIMIT: Duration = Duration::from_secs(20);

fn pods_appear_and_vanish_by_the_hundred(promotion: Promotion) -> Result<()> {
    let stable = Pods::new(1)?;
    let daemon = Daemon::start("node", Manifests::of(&accelerate_everything(NAMESPACE).promotion(promotion), &[])?)?;
    daemon.manifests.write("pods.yaml", &manifest::pod("e2e/stable", stable.netns(0)).yaml())?;
    let mut pairs = stable.pairs(0, Family::V4, 3)?;
    daemon.warm_all(&mut pairs)?;
    let load = Load::start(pairs, 61);
    for generation in 0..3 {
        let pods = Pods::new(100)?;
        let mut open = Vec::new();
        for index in 0..100 {
            // Some are there before their manifest, some get it first.
            if index % 2 == 0 {
                open.push(pods.pair(index)?);
            }
            let name = format!("e2e/pod-{generation}-{index}");
            daemon.manifests.write(&format!("{index}.yaml"), &manifest::pod(&name, pods.netns(index)).yaml())?;
            if index % 2 == 1 {
                open.push(pods.pair(index)?);
            }
        }
        wait_for(LIMIT, "all pods to be known", || {
            let pods = daemon.status()?["pods"].as_array().map_or(0, Vec::len);
            ensure!(pods == 101, "{pods} pods are in the status");
            Ok(())
        })?;
        wait_for(LIMIT, "some connection of most pods to be redirected", || {
            for pair in &mut open {
                request::by_hand(pair, 12, 64)?;
            }
            let rows = daemon.connections()?.0;
            let redirected = rows.iter().filter(|row| row.redirected.messages > 0 && row.pod != "e2e/stable").count();
            ensure!(redirected >= 190, "{redirected} of 200 sockets are redirected");
            Ok(())
        })?;
        // Half of them lose the namespace first, half the manifest; their connections are open throughout.
        let mut pods = Some(pods);
        for index in 0..100 {
            daemon.manifests.remove(&format!("{index}.yaml"))?;
            if index == 50 {
                pods.take();
            }
        }
        for pair in &mut open {
            request::by_hand(pair, 2, 500)?;
        }
        drop(open);
        wait_for(LIMIT, "the pods to be forgotten", || {
            let pods = daemon.status()?["pods"].as_array().map_or(0, Vec::len);
            ensure!(pods == 1, "{pods} pods are in the status");
            let foreign = daemon.connections()?.0.iter().filter(|row| row.pod != "e2e/stable").count();
            ensure!(foreign == 0, "{foreign} sockets of pods that are gone are listed");
            Ok(())
        })?;
    }
    let before = daemon.connections()?.redirected_messages();
    let more = load.bouts() + 10;
    wait_until(LIMIT, "the stable pod to go on", || (load.bouts() >= more || load.has_failed()).then_some(()))?;
    ensure!(daemon.connections()?.redirected_messages() > before, "the stable pod is not redirected any more");
    load.finish()?;
    Ok(())
}

fn a_pod_that_opted_out_is_left_alone(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(2)?;
    let policy = accelerate_everything(NAMESPACE).promotion(promotion);
    let daemon = Daemon::start("node", Manifests::of(&policy, &[pods.manifest(0).opted_out(), pods.manifest(1)])?)?;
    let (mut out, mut accelerated) = (pods.pair(0)?, pods.pair(1)?);
    request::by_hand(&mut out, 200, 64)?;
    daemon.warm(&mut accelerated)?;
    request::by_hand(&mut out, 200, 64)?;
    ensure!(daemon.redirected(&out)? == 0, "a pod that opted out is redirected");
    let status = daemon.status()?;
    let pod = status["pods"].as_array().and_then(|pods| pods.iter().find(|pod| pod["pod"] == pods_name(0)));
    ensure!(
        pod.is_none_or(|pod| !pod["message"].as_str().unwrap_or_default().is_empty()),
        "no reason is given: {pod:?}"
    );
    Ok(())
}

fn pods_name(index: usize) -> String {
    format!("{NAMESPACE}/pod-{index}")
}

fn a_pod_that_is_deselected_goes_back_to_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    pair.client.send(70)?;
    daemon.manifests.write("pods.yaml", &pods.manifest(0).opted_out().yaml())?;
    // The 70 unread bytes are the first that the server reads in these rounds.
    wait_for(LIMIT, "nothing more to be redirected", || {
        let before = daemon.messages("redirected")?;
        request::by_hand(&mut pair, 20, 64)?;
        ensure!(daemon.messages("redirected")? == before, "still redirected");
        Ok(())
    })?;
    daemon.manifests.write("pods.yaml", &pods.manifest(0).yaml())?;
    daemon.warm(&mut pair)?;
    pair.server.receive(70)?;
    pair.close()?;
    Ok(())
}

/// Taking a socket out of the SOCKHASH throws away what is queued for it: it must wait for its reader.
fn a_reader_that_comes_after_its_pod_was_deselected_finds_its_bytes(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let daemon = pods.accelerate(promotion)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    for _ in 0..10 {
        pair.client.send(1000)?;
    }
    daemon.manifests.remove("pods.yaml")?;
    let wait_retired = |sockets: u64| {
        wait_for(LIMIT, "an end that has read everything to leave", || {
            let retired = daemon.events("retired")?;
            ensure!(retired >= sockets, "{retired} sockets left");
            Ok(())
        })
    };
    // Nothing waits at the client's end: it goes at the first scan that would also take the server's.
    wait_retired(1)?;
    pair.server.receive(10_000)?;
    wait_retired(2)?;
    request::by_hand(&mut pair, 20, 1000)?;
    pair.close()?;
    Ok(())
}

fn a_pod_is_found_by_its_cgroup(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let cgroup = Cgroup::new("pod")?;
    // Something must live there, as in a real pod; `cat` waits for the end of its input.
    let mut inhabitant = pods.netns(0).command("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let result = in_cgroup(&pods, &cgroup, inhabitant.id(), promotion);
    drop(inhabitant.stdin.take());
    inhabitant.wait()?;
    result
}

fn in_cgroup(pods: &Pods, cgroup: &Cgroup, inhabitant: u32, promotion: Promotion) -> Result<()> {
    cgroup.take_in(inhabitant)?;
    let yaml = manifest::pod(&pods_name(0), pods.netns(0)).yaml();
    let line = format!("    meshaccel.dev/netns: {:?}\n", pods.netns(0).path().display().to_string());
    ensure!(yaml.contains(&line), "the manifest has changed: {yaml}");
    let manifests = Manifests::of(&accelerate_everything(NAMESPACE).promotion(promotion), &[])?;
    let here = format!("    meshaccel.dev/cgroup: {:?}\n", cgroup.path().display().to_string());
    manifests.write("pods.yaml", &yaml.replace(&line, &here))?;
    let daemon = Daemon::start("node", manifests)?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    pair.close()?;
    Ok(())
}

fn excluded_ports_stay_on_tcp(promotion: Promotion) -> Result<()> {
    let pods = Pods::new(1)?;
    let (excluded, other) = (pods.service(0, Family::V4)?, pods.service(0, Family::V4)?);
    let policy = accelerate_everything(NAMESPACE).promotion(promotion).exclude_ports(&[excluded.address().port()]);
    let daemon = pods.accelerate_with(&policy, &[])?;
    let (mut out, mut accelerated) = (excluded.pair(Some(pods.netns(0)))?, other.pair(Some(pods.netns(0)))?);
    request::by_hand(&mut out, 200, 64)?;
    daemon.warm(&mut accelerated)?;
    request::by_hand(&mut out, 200, 64)?;
    ensure!(daemon.redirected(&out)? == 0, "an excluded port is redirected");
    Ok(())
}
