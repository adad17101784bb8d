//! A machine on which nothing can be accelerated: the daemon stays, says in one sentence what is missing, leaves traffic and
//! kernel alone, and begins by itself once what was missing is there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use meshaccel_e2e_harness::cgroup::Cgroup;
use meshaccel_e2e_harness::daemon::{Daemon, environment};
use meshaccel_e2e_harness::failure::check;
use meshaccel_e2e_harness::fixture::{NAMESPACE, Pods};
use meshaccel_e2e_harness::manifest::accelerate_everything;
use meshaccel_e2e_harness::traffic::{Pair, request};
use meshaccel_e2e_harness::wait::wait_for;
use serde_json::Value;

/// It tries again after 1, 2, 4 s ... and once a minute in the end.
const LIMIT: Duration = Duration::from_secs(90);
/// Any process has these hidden by an empty file system.
const HIDE: &str = "mount -t tmpfs none";

/// A pod with a connection, and a daemon that was started in some place.
struct Fixture {
    _pods: Pods,
    pair: Pair,
    daemon: Daemon,
}

impl Fixture {
    fn set(place: std::process::Command) -> Result<Self> {
        let pods = Pods::new(1)?;
        let pair = pods.pair(0)?;
        let manifests = pods.manifests(&accelerate_everything(NAMESPACE))?;
        let mut daemon = Daemon::unstarted("node", manifests, &["--log", "debug"])?;
        daemon.spawn_in(place)?;
        Ok(Self { _pods: pods, pair, daemon })
    }

    /// It tries again and again and stays; all that it says is one sentence. Gives that.
    fn stays(&mut self, reason: &str, words: &[&str]) -> Result<String> {
        let daemon = &mut self.daemon;
        let told = wait_for(LIMIT, "the daemon to say what is missing, and to try again twice", || {
            ensure!(daemon.is_running(), "it has ended");
            let told = daemon.status()?["unsupported"].clone();
            ensure!(told["reason"] == reason, "{told}");
            ensure!(daemon.log().matches("Tried again in vain").count() >= 2, "{}", daemon.log());
            Ok(told)
        })?;
        let sentence = told["sentence"].as_str().context("no sentence")?.to_owned();
        for word in words {
            ensure!(sentence.contains(word), "{word} is not in: {sentence}");
        }
        let log = daemon.log();
        let errors = log.lines().filter(|line| line.contains(" ERROR ")).collect::<Vec<_>>();
        ensure!(errors.len() == 1 && errors[0].contains(&sentence), "not said once: {errors:#?}");
        // Alive; and ready, for a node that can do nothing must not hold up the roll-out to others.
        ensure!(daemon.get("/livez")?.code == 200, "it does not live");
        let ready = daemon.get("/readyz")?;
        ensure!(ready.code == 200 && ready.body.contains(&sentence), "{ready:?}");
        ensure!(daemon.metric("meshaccel_unsupported", reason)? == 1, "no metric");
        // Unless it is just trying again.
        wait_for(LIMIT, "nothing to be in the kernel", || {
            let objects = daemon.objects()?;
            ensure!(objects.is_empty(), "it holds {objects:?}");
            ensure!(!daemon.bpffs().exists() && daemon.self_tests().is_empty(), "it has left pins");
            Ok(())
        })?;
        request::by_hand(&mut self.pair, 20, 64)?;
        Ok(sentence)
    }

    /// `probe` in the same place says the same sentence, and fails; `-o json` has it as a field.
    fn probe_says(&self, sentence: &str) -> Result<()> {
        let pid = self.daemon.pid()?;
        let pins = self.daemon.bpffs().display().to_string();
        let plain = environment::beside(pid, &["probe", "--bpffs", &pins])?;
        ensure!(plain.code == Some(1) && plain.stdout.is_empty(), "{plain:?}");
        ensure!(plain.sentence() == format!("error: {sentence}"), "{plain:?} says not {sentence}");
        let json = environment::beside(pid, &["probe", "--bpffs", &pins, "-o", "json"])?;
        let told: Value = serde_json::from_str(&json.stdout)?;
        ensure!(json.code == Some(1) && told["unsupported"]["sentence"] == sentence, "{json:?}");
        Ok(())
    }

    /// The connection that was there all the time is redirected.
    fn heals(&mut self) -> Result<()> {
        let (daemon, pair) = (&mut self.daemon, &mut self.pair);
        wait_for(LIMIT, "the daemon to accelerate", || {
            ensure!(daemon.is_running(), "it has ended");
            request::by_hand(pair, 12, 64)?;
            let (status, redirected) = (daemon.status()?, daemon.messages("redirected")?);
            ensure!(status["unsupported"].is_null() && redirected > 0, "{redirected} redirected; {status}");
            Ok(())
        })?;
        let ready = daemon.get("/readyz")?;
        ensure!(ready.code == 200 && ready.body == "ok\n", "{ready:?}");
        ensure!(daemon.log().matches("What was in the way is gone").count() == 1, "{}", daemon.log());
        Ok(pair.close()?)
    }
}

#[test]
fn a_kernel_without_type_information() {
    check(|| {
        let mut fixture = Fixture::set(environment::after(&format!("{HIDE} /sys/kernel/btf"))?)?;
        let sentence =
            fixture.stays("KernelUnsupported", &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF", "5.4"])?;
        fixture.probe_says(&sentence)?;
        environment::change(fixture.daemon.pid()?, "umount /sys/kernel/btf")?;
        fixture.heals()
    });
}

#[test]
fn a_machine_without_cgroup_v2() {
    check(|| {
        let mut fixture = Fixture::set(environment::after(&format!("{HIDE} /sys/fs/cgroup"))?)?;
        let sentence = fixture.stays("MountMissing", &["no cgroup v2", "/sys/fs/cgroup/unified", "--cgroup-root"])?;
        fixture.probe_says(&sentence)?;
        environment::change(fixture.daemon.pid()?, "umount /sys/fs/cgroup")?;
        fixture.heals()
    });
}

/// As a container has it whose runtime mounts the hierarchy for it: a program that is attached there sees no pod.
#[test]
fn a_cgroup_namespace_of_the_daemons_own() {
    check(|| {
        let cgroup = Cgroup::new("unsupported")?;
        let enter = format!("echo $$ > {}/cgroup.procs", cgroup.path().display());
        let mut fixture = Fixture::set(environment::in_cgroup(&enter, "mount -t cgroup2 none /sys/fs/cgroup")?)?;
        let sentence =
            fixture.stays("MountMissing", &["/sys/fs/cgroup shows", "private cgroup namespace", "hostPath"])?;
        fixture.probe_says(&sentence)?;
        environment::change(fixture.daemon.pid()?, "umount /sys/fs/cgroup")?;
        fixture.heals()
    });
}

/// A BPF file system that a container mounts for itself would go with it, and with that what is pinned.
#[test]
fn a_container_on_a_machine_without_a_bpf_file_system() {
    check(|| {
        let mounts = format!("mount -t bpf bpf /sys/fs/bpf\n{HIDE} /sys/fs/bpf");
        let mut fixture = Fixture::set(environment::in_container(&mounts)?)?;
        fixture.stays(
            "MountMissing",
            &["/sys/fs/bpf is not on a BPF file system", "mount -t bpf bpf /sys/fs/bpf", "4.4"],
        )?;
        let pid = environment::daemon_below(fixture.daemon.pid()?)?;
        environment::change(pid, "umount /sys/fs/bpf")?;
        fixture.heals()
    });
}

/// Without CAP_PERFMON and CAP_SYS_ADMIN the kernel takes no iterator.
#[test]
fn a_daemon_without_its_capabilities() {
    check(|| {
        let capabilities = "-perfmon,-sys_admin";
        let mut fixture = Fixture::set(environment::without(capabilities)?)?;
        let sentence = fixture.stays(
            "NotPermitted",
            &[
                "lacks CAP_PERFMON and CAP_SYS_ADMIN",
                "securityContext.capabilities.add",
                "Operation not permitted (os error 1)",
            ],
        )?;
        let probed = fixture.daemon.run_without(capabilities, &["probe"])?;
        ensure!(probed.code == Some(1) && probed.sentence() == format!("error: {sentence}"), "{probed:?}");
        Ok(())
    });
}

/// As a seccomp profile does it, or SELinux.
#[test]
fn a_daemon_that_may_not_call_bpf() {
    check(|| {
        for errno in [libc::EPERM, libc::EACCES] {
            let mut fixture = Fixture::set(environment::denying(libc::SYS_bpf, errno)?)?;
            let sentence = fixture.stays("NotPermitted", &["seccomp profile", "bpf(2)"])?;
            let number = format!("(os error {errno})");
            ensure!(sentence.contains(&number), "{number} is not in: {sentence}");
        }
        Ok(())
    });
}

/// Nothing of the above: without tracefs only habits are not seen, so all goes on but to applications.
#[test]
fn a_machine_without_tracefs() {
    check(|| {
        let mut fixture = Fixture::set(environment::denying(libc::SYS_fsopen, libc::ENODEV)?)?;
        wait_for(LIMIT, "the pod to be looked after", || {
            let status = fixture.daemon.status()?;
            ensure!(status["unsupported"].is_null() && status["pods"][0]["state"] == "accelerated", "{status}");
            ensure!(status["capabilities"]["habits_seen"] == serde_json::json!([]), "{status}");
            Ok(())
        })?;
        ensure!(fixture.daemon.get("/readyz")?.body == "ok\n", "not ready");
        ensure!(!fixture.daemon.log().contains(" ERROR "), "{}", fixture.daemon.log());
        Ok(request::by_hand(&mut fixture.pair, 20, 64)?)
    });
}

/// A daemon that cannot take over what an earlier one has pinned leaves it as it is, and is not ready: that holds up a roll-out.
#[test]
fn what_an_earlier_daemon_has_pinned_goes_on() {
    check(|| {
        let pods = Pods::new(1)?;
        let mut daemon = pods.accelerate_with(&accelerate_everything(NAMESPACE).eager(), &[])?;
        let mut pair = pods.pair(0)?;
        daemon.warm(&mut pair)?;
        daemon.stop()?;
        daemon.spawn_in(environment::after(&format!("{HIDE} /sys/kernel/btf"))?)?;
        wait_for(LIMIT, "the daemon to say what is missing", || {
            let ready = daemon.get("/readyz")?;
            ensure!(ready.code == 503 && ready.body.contains("/sys/kernel/btf/vmlinux"), "{ready:?}");
            Ok(())
        })?;
        ensure!(daemon.get("/livez")?.code == 200, "it does not live");
        let before = daemon.redirected(&pair)?;
        request::by_hand(&mut pair, 20, 64)?;
        ensure!(daemon.redirected(&pair)? > before, "what was pinned does not go on");
        environment::change(daemon.pid()?, "umount /sys/kernel/btf")?;
        wait_for(LIMIT, "the daemon to take over", || {
            let ready = daemon.get("/readyz")?;
            ensure!(ready.code == 200 && ready.body == "ok\n", "{ready:?}");
            Ok(())
        })?;
        daemon.warm(&mut pair)?;
        Ok(pair.close()?)
    });
}
