//! What a kernel has to show that lacks what is needed: one sentence, nothing attached, traffic untouched.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::bpf::{Object, Objects};
use meshaccel_e2e_harness::daemon::Daemon;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::{Promotion, accelerate_everything};
use meshaccel_e2e_harness::traffic::{Family, Load, request};
use meshaccel_e2e_harness::wait::{wait_for, wait_until};

use super::steps::Steps;
use super::story::{BPFFS, entries, nothing_left};

const LIMIT: Duration = Duration::from_secs(30);
/// Longer than this it is no sentence but a report.
const LONGEST: usize = 400;

/// True: every step went well.
pub fn tell() -> Result<bool> {
    let mut steps = Steps::new()?;
    let (before, programs) = (entries(BPFFS)?, Object::all("")?);
    let pods = Pods::new(1)?;
    let manifests = pods.manifests(&accelerate_everything(NAMESPACE).promotion(Promotion::Eager))?;
    let mut daemon = Daemon::unstarted("guest", manifests, &[])?;
    let sentence = steps.step("probe", || probe(&daemon));
    if let Some(sentence) = sentence {
        steps.fact("refusal", &sentence);
        steps.step("daemon", || refused(&mut daemon, &pods, &programs, &sentence));
    }
    steps.step("nothing left", || Ok((nothing_left(&Objects::new(), &before)?, "nothing is attached".into())));
    let log = daemon.log();
    Ok(steps.end(log))
}

/// It ends with an error, and with one sentence that a person understands.
fn probe(daemon: &Daemon) -> Result<(String, String)> {
    let finished = daemon.run(&["probe"])?;
    ensure!(finished.code.is_some_and(|code| code != 0), "probe ended with {:?}: {}", finished.code, finished.stdout);
    let sentence = sentence(&finished.stderr)?;
    Ok((sentence.clone(), sentence))
}

/// The one line of an error: a sentence, not the verifier's statistics.
fn sentence(text: &str) -> Result<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let [line] = lines[..] else { anyhow::bail!("{} lines instead of one sentence: {text:?}", lines.len()) };
    let sentence = line.strip_prefix("error: ").with_context(|| format!("no error: {line:?}"))?;
    ensure!(sentence.len() <= LONGEST, "{} bytes are no sentence: {sentence}", sentence.len());
    for word in ["processed ", "stack depth", "verification time", "insns"] {
        ensure!(!sentence.contains(word), "the verifier's statistics instead of a sentence: {sentence}");
    }
    Ok(sentence.to_owned())
}

/// The daemon says the same and ends, or says it and stays; either way nothing is attached and no byte is touched.
fn refused(daemon: &mut Daemon, pods: &Pods, programs: &Objects, sentence: &str) -> Result<((), String)> {
    let load = Load::start(pods.pairs(0, Family::V4, 3)?, 5);
    daemon.spawn()?;
    wait_for(LIMIT, "the daemon to say what is missing", || {
        let alive = daemon.get("/livez").is_ok_and(|answer| answer.code == 200);
        ensure!(alive || !daemon.is_running(), "it runs and does not answer");
        ensure!(daemon.log().contains(sentence), "its log has another sentence than probe");
        Ok(())
    })?;
    let bouts = load.bouts() + 20;
    wait_until(LIMIT, "the traffic to go on", || (load.bouts() >= bouts || load.has_failed()).then_some(()))?;
    let more: Vec<Object> = Object::all("")?.difference(programs).cloned().collect();
    ensure!(more.is_empty(), "in the kernel are {more:?}");
    for mut pair in load.finish()? {
        request::by_hand(&mut pair, 5, 64)?;
        pair.close()?;
    }
    let stayed = daemon.is_running();
    daemon.kill9()?;
    Ok(((), if stayed { "it stays up" } else { "it has ended" }.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_one_line_without_statistics() {
        assert_eq!(sentence("error: Linux 5.15 is needed.\n").unwrap(), "Linux 5.15 is needed.");
        assert!(sentence("error: a\nverifier: b\n").is_err());
        assert!(sentence("error: processed 12 insns, stack depth 128+40\n").is_err());
        assert!(sentence("").is_err());
    }
}
