//! Numbers as people write them.

/// "12,345".
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let groups: Vec<&str> = (0..digits.len())
        .filter_map(|at| {
            let boundary = (digits.len() - at) % 3 == 0 || at == 0;
            let length = if at == 0 && digits.len() % 3 != 0 { digits.len() % 3 } else { 3 };
            boundary.then(|| digits.get(at..at + length)).flatten()
        })
        .collect();
    groups.join(",")
}

/// Microseconds as "183 µs" or "1.84 ms".
pub fn duration(microseconds: f64) -> String {
    if microseconds < 1000.0 { format!("{microseconds:.0} µs") } else { format!("{:.2} ms", microseconds / 1000.0) }
}

/// Microseconds with a figure that counts: "430 ns", "7.2 µs", "183 µs", "1.84 ms".
pub fn small_duration(microseconds: f64) -> String {
    match microseconds {
        us if us < 1.0 => format!("{:.0} ns", us * 1000.0),
        us if us < 100.0 => format!("{us:.1} µs"),
        us => duration(us),
    }
}

/// "1.28 ×".
pub fn ratio(value: f64) -> String {
    format!("{value:.2} ×")
}

/// "1.2 GB", "345 MB".
pub fn bytes(value: u64) -> String {
    let value = value as f64;
    match value {
        v if v >= 1e9 => format!("{:.2} GB", v / 1e9),
        v if v >= 1e6 => format!("{:.0} MB", v / 1e6),
        v if v >= 1e3 => format!("{:.0} kB", v / 1e3),
        v => format!("{v:.0} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let numbers = [0.0, 7.4, 999.0, 1000.0, 12345.0, 123_456.0, 1_234_567.0];
        let words = ["0", "7", "999", "1,000", "12,345", "123,456", "1,234,567"];
        assert_eq!(numbers.map(thousands), words);
    }

    #[test]
    fn units_are_chosen_by_size() {
        assert_eq!(duration(183.4), "183 µs");
        assert_eq!(duration(1840.0), "1.84 ms");
        assert_eq!([0.43, 7.2, 183.4, 1840.0].map(small_duration), ["430 ns", "7.2 µs", "183 µs", "1.84 ms"]);
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(bytes(345_600_000), "346 MB");
        assert_eq!(bytes(1_234_000_000), "1.23 GB");
    }
}
