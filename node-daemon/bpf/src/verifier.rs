//! The verifier's log: thousands of lines of what it did, and somewhere near the end, the one that says why it refused.

/// How lines begin that are statistics: of the whole program, after the verdict. The last two come from Linux 7.2 and 7.3 on.
const STATISTICS: [&str; 5] = ["processed ", "stack depth ", "verification time ", "insns processed ", "subprog "];
/// How lines begin that tell the verifier's way: a jump, a source line, what is known of a register, where a call leads.
const WAY: [&str; 13] = [
    "from ",
    ";",
    "last_idx ",
    "regs=",
    "parent ",
    "mark_precise: ",
    "caller:",
    "callee:",
    "returning from callee:",
    "to caller at ",
    "propagating ",
    "Func#",
    "Validating ",
];
/// After its verdict Linux 7.3 explains it, on many lines.
const EXPLANATION: &str = "Verification failed: ";

/// The last line that is a verdict. `None`: the log has none, for it was not the verifier that refused.
pub fn last_word(log: &str) -> Option<&str> {
    let lines = log.lines().map(str::trim);
    let mut verdict = None;
    for line in lines.filter(|line| !line.is_empty() && !is_statistics(line) && !is_way(line)) {
        if let Some(title) = line.strip_prefix(EXPLANATION) {
            return verdict.or(Some(title));
        }
        verdict = Some(line);
    }
    verdict
}

fn is_statistics(line: &str) -> bool {
    STATISTICS.iter().any(|beginning| line.starts_with(beginning))
}

fn is_way(line: &str) -> bool {
    WAY.iter().any(|beginning| line.starts_with(beginning)) || is_instruction(line) || is_state(line)
}

/// `12: (85) call bpf_map_lookup_elem#1`, `12: R0=scalar()`, `12: safe`.
fn is_instruction(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && line[digits..].starts_with(": ")
}

/// `R0=inv(id=0) R10=fp0`, `R1_w=ctx()`, the same after `frame1: `.
fn is_state(line: &str) -> bool {
    let line = match line.strip_prefix("frame").and_then(|rest| rest.split_once(": ")) {
        Some((_, state)) => state,
        None => line,
    };
    let Some(rest) = line.strip_prefix('R') else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // `R1 type=ctx expected=fp` is a verdict.
    digits > 0 && (rest[digits..].starts_with('=') || rest[digits..].starts_with('_'))
}

#[cfg(test)]
mod tests;
