//! Clients that are programs of their own: started with the list of operations, watched line by line.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use meshaccel_e2e_harness::interrupt;

use super::finding::Finding;
use super::operation::{LARGEST, Operation, mixed};
use super::site::Site;
use super::stack::Agent;

/// How long an agent goes on; each operation is carried out at least once.
const SECONDS: &str = "2";
/// An interpreter's start, before the first line.
const START: Duration = Duration::from_secs(40);
/// No line for so long is a hang: more than the clients' own time-outs, which say more.
const HANG: Duration = Duration::from_secs(14);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Runs an agent to its end.
pub fn run(agent: &Agent, site: &Site<'_>, port: u16) -> Result<Finding> {
    let mut operations = mixed();
    if agent.aborts {
        let aborts = (0..4).map(|seed| Operation::abort(LARGEST / (seed + 1), seed * 1000));
        operations.extend(aborts.flat_map(|abort| [abort, Operation::get(1000, abort.seed)]));
    }
    let name = format!("client-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let list: String = operations.iter().map(|operation| format!("{operation}\n")).collect();
    let list = site.write(&format!("{name}.operations"), &list)?;
    let mut command = (agent.command)()?;
    command.extend([site.address().to_string(), port.to_string(), site.base(), list, SECONDS.to_owned()]);
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let (mut process, output) = site.start_client(&name, arguments[0], &arguments[1..])?;
    let (mut lines, mut since) = (0, Instant::now());
    let mut status = None;
    interrupt::until(&format!("the end of {}", agent.name), Duration::from_secs(300), || {
        if let Ok(ended) = process.wait(Duration::ZERO) {
            status = Some(ended);
            return Ok(Some(()));
        }
        let now = told(&output)?.len();
        if now > lines {
            (lines, since) = (now, Instant::now());
        }
        let limit = if lines == 0 { START } else { HANG };
        Ok((since.elapsed() > limit).then_some(()))
    })?;
    let lines = told(&output)?;
    let mut finding = read(&lines, &operations)?;
    match status {
        None => {
            let at = operations[lines.len() % operations.len()];
            finding.note(HANG, HANG, true);
            finding.outcome = format!("hung in {at}, after {} operations", lines.len());
        }
        Some(status) if !status.success() || lines.is_empty() => {
            bail!("{} ended ({status}): {}", agent.name, process.log_tail());
        }
        Some(_) => {}
    }
    Ok(finding)
}

/// All whole lines.
fn told(output: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(&std::fs::read(output)?).into_owned();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    Ok(whole.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn read(lines: &[String], operations: &[Operation]) -> Result<Finding> {
    let mut finding = Finding::good();
    for (line, operation) in lines.iter().zip(operations.iter().cycle()) {
        match line.split_once(' ') {
            Some(("ok", milliseconds)) => {
                let took = Duration::from_secs_f64(milliseconds.parse::<f64>()? / 1000.0);
                // A program's large answers take what its language takes: only small ones tell of silence.
                let silence = if operation.is_small() { took } else { Duration::ZERO };
                finding.note(took, silence, operation.is_small());
            }
            Some(("bad", reason)) => finding.outcome = format!("{operation}: {reason}"),
            _ => bail!("a client wrote {line:?}"),
        }
    }
    Ok(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_client_are_read() {
        let operations = [Operation::get(1, 0), Operation::get(1 << 20, 0)];
        let lines = ["ok 1.5", "ok 800.0", "ok 300.0"].map(str::to_owned);
        let finding = read(&lines, &operations).unwrap();
        assert_eq!((finding.operations, finding.late, finding.silence_ms.round()), (3, 1, 300.0));
        let bad = read(&["bad it broke".to_owned()], &operations).unwrap();
        assert_eq!(bad.outcome, "get 1 0: it broke");
    }
}
