//! Bad input: one sentence with file, line and field; everything else goes on as it was.

use std::time::Duration;

use anyhow::{Result, ensure};
use meshaccel_e2e_harness::cgroup;
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::failure::check;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Acceleration, Manifests, accelerate_everything, pod_at};
use meshaccel_e2e_harness::traffic::{Pair, request};
use meshaccel_e2e_harness::wait::wait_for;

const LIMIT: Duration = Duration::from_secs(20);

const HEAD: &str = "apiVersion: meshaccel.dev/v1alpha1\nkind: MeshAcceleration\nmetadata: { name: bad }\nspec:\n";

/// What is written, and what the problem must say: line, field, a piece of the sentence.
struct Case {
    text: String,
    line: Option<u64>,
    field: &'static str,
    says: &'static str,
}

fn case(body: &str, line: u64, field: &'static str, says: &'static str) -> Case {
    Case { text: format!("{HEAD}{body}"), line: Some(line), field, says }
}

fn cases() -> Result<Vec<Case>> {
    let mut cases = vec![
        case("  podSelector: {}\n  redirct: {}\n", 6, "redirct", "unknown field"),
        case("  podSelector: {}\n  redirect:\n    limits: { maxBytesInFlight: lots }\n", 7, "maxBytesInFlight", ""),
        case("  podSelector: {}\n  redirect:\n    excludedPorts: [80, http]\n", 7, "excludedPorts", ""),
        case("  podSelector: {}\n  redirect:\n    scope: Everywhere\n", 7, "scope", "PodLocal"),
        case("  podSelector: {}\n  mesh: { provider: Istio, sidecarPorts: [1] }\n", 6, "sidecarPorts", "Custom"),
        case("  mode: Enforce\n", 4, "spec", "Selector"),
        Case { text: format!("{HEAD}  podSelector: {{ matchLabels: [\n"), line: None, field: "", says: "" },
        Case {
            text: pod_at("e2e/lost", "/run/netns/no-such-namespace".as_ref()).yaml(),
            line: None,
            field: "meshaccel.dev/netns",
            says: "/run/netns/no-such-namespace",
        },
        Case {
            text: pod_at("e2e/file", "/etc/hostname".as_ref()).yaml(),
            line: None,
            field: "meshaccel.dev/netns",
            says: "/etc/hostname",
        },
    ];
    if let Some(v1) = cgroup::v1_root()? {
        let text = pod_at("e2e/old", &v1).yaml().replace("meshaccel.dev/netns", "meshaccel.dev/cgroup");
        cases.push(Case { text, line: None, field: "meshaccel.dev/cgroup", says: "cgroup v1" });
    }
    Ok(cases)
}

/// True when `/status` has a problem of this file that says what the case demands.
fn named(daemon: &Daemon, file: &str, case: &Case) -> Result<()> {
    let status = daemon.status()?;
    let problems = status["problems"].as_array().cloned().unwrap_or_default();
    let of_file = |problem: &&serde_json::Value| problem["file"].as_str().is_some_and(|name| name.ends_with(file));
    let problem = problems.iter().find(of_file);
    let Some(problem) = problem else { anyhow::bail!("no problem of {file} among {problems:?}") };
    let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let (field, message) = (text("field"), text("message"));
    ensure!(
        field.contains(case.field) || message.contains(case.field),
        "{file}: the field {} is not named: {problem}",
        case.field
    );
    ensure!(message.contains(case.says), "{file}: {:?} is not said: {problem}", case.says);
    if let Some(line) = case.line {
        ensure!(problem["line"].as_u64() == Some(line), "{file}: line {line} is to blame: {problem}");
    }
    Ok(())
}

#[test]
fn every_bad_object_is_named_and_the_good_ones_go_on() {
    check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE).eager(), &[])?;
        let mut pair = pods.pair(0)?;
        daemon.warm(&mut pair)?;
        let cases = cases()?;
        for (index, case) in cases.iter().enumerate() {
            let file = format!("bad-{index}.yaml");
            daemon.manifests.write(&file, &case.text)?;
            wait_for(LIMIT, "the problem to be named in /status", || named(&daemon, &file, case))?;
            ensure!(daemon.log().contains(&file), "{file} is not named in the log:\n{}", daemon.log());
            let before = daemon.redirected(&pair)?;
            request::by_hand(&mut pair, 20, 64)?;
            ensure!(daemon.redirected(&pair)? >= before + 30, "{file} stopped the acceleration of others");
        }
        for index in 0..cases.len() {
            daemon.manifests.remove(&format!("bad-{index}.yaml"))?;
        }
        wait_for(LIMIT, "the problems to go with their files", || {
            let problems = daemon.status()?["problems"].clone();
            ensure!(problems.as_array().is_some_and(Vec::is_empty), "{problems}");
            Ok(())
        })
    });
}

/// A pod, the policy that accelerates it, the daemon, and a connection that is redirected.
fn running() -> Result<(Pods, Acceleration, Daemon, Pair)> {
    let pods = Pods::new(1)?;
    let policy = accelerate_everything(NAMESPACE).eager();
    let daemon = pods.accelerate_with(&policy, &[])?;
    let mut pair = pods.pair(0)?;
    daemon.warm(&mut pair)?;
    Ok((pods, policy, daemon, pair))
}

#[test]
fn a_broken_edit_keeps_the_last_good_state() {
    check(|| {
        let (pods, policy, daemon, mut pair) = running()?;
        daemon.manifests.write("acceleration.yaml", &policy.yaml().replace("enabled: true", "enabled: maybe"))?;
        let case = Case { text: String::new(), line: Some(17), field: "enabled", says: "" };
        wait_for(LIMIT, "the problem to be named in /status", || named(&daemon, "acceleration.yaml", &case))?;
        let mut later = pods.pair(0)?;
        daemon.warm(&mut later)?;
        daemon.manifests.write("acceleration.yaml", &policy.disabled().yaml())?;
        wait_for(LIMIT, "the repaired file to take effect", || {
            let before = daemon.redirected(&pair)?;
            request::by_hand(&mut pair, 20, 64)?;
            ensure!(daemon.redirected(&pair)? == before, "still redirected");
            Ok(())
        })
    });
}

#[test]
fn two_objects_that_select_one_pod_are_named() {
    check(|| {
        let (_pods, policy, daemon, mut pair) = running()?;
        daemon.manifests.write("second.yaml", &policy.clone().named("second-wish").disabled().yaml())?;
        wait_for(LIMIT, "the conflict to be told in /status", || {
            let status = daemon.status()?.to_string();
            let (one, two) = (status.contains("accelerate-e2e"), status.contains("second-wish"));
            ensure!(one && two && status.contains("e2e/pod-0"), "{status}");
            Ok(())
        })?;
        // Which of the two holds is a rule, not chance: it does not change while both are there, nor by a restart.
        let works = |pair: &mut _| -> Result<bool> {
            let before = daemon.redirected(pair)?;
            request::by_hand(pair, 20, 64)?;
            Ok(daemon.redirected(pair)? > before)
        };
        let first = works(&mut pair)?;
        ensure!(works(&mut pair)? == first, "the conflict is decided differently from moment to moment");
        daemon.manifests.remove("second.yaml")?;
        daemon.warm(&mut pair)
    });
}

#[test]
fn arguments_that_cannot_work_end_with_one_sentence() {
    check(|| {
        let mut daemon = Daemon::unstarted("node", Manifests::new()?, &["--max-connections", "many"])?;
        daemon.spawn()?;
        ensure!(daemon.wait_exit()? == Some(2), "a wrong argument is a usage error: {}", daemon.log());
        let missing = ["standalone", "--manifests", "/no/such/folder", "--admin-address", "127.0.0.1:0"];
        let finished = daemon.run(&missing)?;
        ensure!(finished.code == Some(1), "{finished:?}");
        ensure!(finished.sentence().contains("/no/such/folder"), "{finished:?}");
        Ok(())
    });
}
