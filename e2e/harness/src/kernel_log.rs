//! What a kernel writes when something is wrong with it.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result};

/// Marks of trouble. `Call Trace` stands below each of them and may stand alone.
const MARKS: [&str; 18] = [
    "WARNING:",
    "BUG:",
    "BUG ",
    "Oops",
    "kernel BUG at",
    "Kernel panic",
    "general protection fault",
    "Unable to handle kernel",
    "cut here",
    "Call Trace",
    "Call trace",
    "detected stalls",
    "detected expedited stalls",
    "self-detected stall",
    "soft lockup",
    "blocked for more than",
    "refcount_t:",
    "Memory leak",
];

/// Lines before the story are the machine's own: an emulated one lacks what real ones have.
pub const BEGIN: &str = "meshaccel: the story begins";

/// The machine's own lines end here.
pub fn begin() -> Result<()> {
    let mut log = File::options().write(true).open("/dev/kmsg").context("cannot write /dev/kmsg")?;
    Ok(log.write_all(format!("{BEGIN}\n").as_bytes())?)
}

/// What the kernel wrote from the last [`BEGIN`] on; all of it where that is missing.
pub fn since_beginning(messages: &str) -> &str {
    messages.rfind(BEGIN).map_or(messages, |at| &messages[at..])
}

/// What the kernel wrote so far.
pub fn read() -> Result<String> {
    let mut buffer = vec![0u8; 1 << 20];
    // SYSLOG_ACTION_READ_ALL. SAFETY: the buffer is writable for its length.
    let n = unsafe { libc::klogctl(3, buffer.as_mut_ptr().cast(), buffer.len() as i32) };
    let n = usize::try_from(n).map_err(|_| std::io::Error::last_os_error()).context("the kernel's messages")?;
    Ok(String::from_utf8_lossy(&buffer[..n]).into_owned())
}

/// The first line that complains, and what follows it.
pub fn complaints(messages: &str) -> Vec<String> {
    let lines: Vec<&str> = since_beginning(messages).lines().collect();
    let first = lines.iter().position(|line| MARKS.iter().any(|mark| line.contains(mark)));
    first.map_or(Vec::new(), |at| lines[at..lines.len().min(at + 30)].iter().map(|line| (*line).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_with_what_follows_and_only_after_the_beginning() {
        let text = format!("[0.1] WARNING: no clock\n[1.0] {BEGIN}\n[2.0] fine\n[3.0] BUG: KFENCE\n[3.1] at here\n");
        assert_eq!(complaints(&text), ["[3.0] BUG: KFENCE", "[3.1] at here"]);
        assert!(complaints(&format!("[0.1] BUG: old\n[1.0] {BEGIN}\n[2.0] debugfs ready\n")).is_empty());
    }

    #[test]
    fn a_stalled_processor_and_a_hung_task_are_trouble() {
        for line in [
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "rcu: INFO: rcu_preempt self-detected stall on CPU",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!",
            "INFO: task nginx:12 blocked for more than 120 seconds.",
        ] {
            assert_eq!(complaints(line).len(), 1, "{line}");
        }
    }
}
