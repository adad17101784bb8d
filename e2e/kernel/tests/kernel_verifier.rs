//! What the kernel's verifier makes of the programs. It reads all of them twice at each start of a daemon, while connections wait
//! for it; how much it has to process follows from how they are compiled, which a small change can double.

use anyhow::{Context, ensure};
use meshaccel_e2e_harness::bpf::{Kind, opened_by, verified_instructions};
use meshaccel_e2e_harness::failure;
use meshaccel_e2e_harness::fixture::Pods;
use meshaccel_e2e_harness::manifest::Promotion;

/// Of each program. The kernel's limit is 1,000,000; other kernels prune less than this one.
const MOST: u32 = 60_000;

#[test]
fn every_program_is_verified_quickly() {
    failure::check(|| {
        let pods = Pods::new(1)?;
        let daemon = pods.accelerate(Promotion::Auto)?;
        let mut programs = Vec::new();
        for object in opened_by(daemon.pid()?)?.into_iter().filter(|object| object.kind == Kind::Program) {
            programs.push((verified_instructions(object.id)?.context("a kernel before Linux 5.16")?, object.name));
        }
        programs.sort();
        eprintln!("instructions that the verifier processed: {programs:?}");
        ensure!(programs.len() >= 8, "{} programs are loaded: {programs:?}", programs.len());
        let (most, name) = programs.last().context("no program")?;
        ensure!(*most > 0 && *most <= MOST, "{name} took {most}, more than {MOST}");
        Ok(())
    });
}
