//! Every kernel that the distribution has, booted: probe, redirected traffic, nginx, off and on, kill, upgrade, uninstall,
//! nothing left, a quiet kernel. What is too old is refused in one sentence.
//!
//! `MESHACCEL_KERNELS` names the list (`smoke` or `all`); arguments are those of any test: `-- 6.12` boots those with that
//! in their names. The table of what was seen is written to test-out/kernels-<list>.md.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use meshaccel_e2e_guest::host::catalogue::{Kernel, kernels};
use meshaccel_e2e_guest::host::machine::{self, Outcome};
use meshaccel_e2e_guest::host::table;
use meshaccel_e2e_harness::kernel_log;

/// Lines of the daemon's log and of the kernel that are told with a failure.
const TAIL: usize = 40;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two machines of two processors at a time: each gets what an emulator can use.
    arguments.test_threads = Some(2);
    let list = std::env::var("MESHACCEL_KERNELS").unwrap_or_else(|_| "smoke".to_owned());
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let trials = match kernels(&list) {
        Ok(kernels) => kernels.into_iter().map(|kernel| trial(kernel, outcomes.clone())).collect(),
        Err(error) => {
            let failure = format!("{error:#}");
            vec![Trial::test("kernels_are_there", move || Err(Failed::from(failure)))]
        }
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Err(error) = write(&list, &outcomes) {
        eprintln!("the table of kernels could not be written: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn trial(kernel: Kernel, outcomes: Arc<Mutex<Vec<Outcome>>>) -> Trial {
    Trial::test(kernel.title(), move || {
        let outcome = machine::run(&kernel);
        let failure = outcome.failure();
        let (title, seconds) = (kernel.title(), outcome.seconds);
        let word = if failure.is_some() { "FAILED" } else { "ok" };
        eprintln!("--- {title}: {word} after {seconds:.0} s: {}", outcome.times());
        let explained = failure.map(|failure| format!("{failure}\n{}", explanation(&outcome)));
        outcomes.lock().map_err(|_| "another test panicked")?.push(outcome);
        explained.map_or(Ok(()), |failure| Err(failure.into()))
    })
}

/// All steps, and the ends of both logs.
fn explanation(outcome: &Outcome) -> String {
    let Ok(report) = &outcome.report else { return String::new() };
    let steps = report.steps.iter().map(|step| {
        let mark = if step.passed { "ok" } else { "FAILED" };
        format!("  {mark} {} ({:.1} s): {}\n", step.name, step.seconds, step.said)
    });
    let tail = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| format!("  {line}\n")).collect::<String>()
    };
    format!(
        "--- steps on {}:\n{}--- the daemon wrote:\n{}--- the kernel wrote:\n{}",
        report.release,
        steps.collect::<String>(),
        tail(&report.log),
        tail(kernel_log::since_beginning(&report.messages))
    )
}

fn write(list: &str, outcomes: &Mutex<Vec<Outcome>>) -> std::io::Result<()> {
    let Ok(mut outcomes) = outcomes.lock() else { return Ok(()) };
    if outcomes.is_empty() {
        return Ok(());
    }
    let numbers = |outcome: &Outcome| -> Vec<u32> {
        outcome.kernel.upstream().split('.').filter_map(|number| number.parse().ok()).collect()
    };
    outcomes.sort_by_key(|outcome| (outcome.kernel.processor.name(), numbers(outcome)));
    let text = table::markdown(&outcomes);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-out");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(format!("kernels-{list}.md")), &text)?;
    eprintln!("{text}");
    Ok(())
}
