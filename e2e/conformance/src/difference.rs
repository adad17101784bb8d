//! Two traces side by side.

/// Two traces that should be the same.
pub struct Difference {
    /// Of what.
    pub title: String,
    pub plain: Vec<String>,
    pub redirected: Vec<String>,
}

impl Difference {
    /// Both traces, the lines that differ marked.
    pub fn render(&self) -> String {
        let Self { title, plain, redirected } = self;
        let mut text = format!("{title}\n");
        for (mark, line) in aligned(plain, redirected) {
            text += &format!("  {mark} {line}\n");
        }
        text
    }
}

/// Both texts line by line: what both have once, what only the first has with `-`, what only the second has with `+`.
fn aligned<'a>(first: &'a [String], second: &'a [String]) -> Vec<(char, &'a str)> {
    // Length of the longest common subsequence of what is left of both.
    let mut common = vec![vec![0usize; second.len() + 1]; first.len() + 1];
    for at in (0..first.len()).rev() {
        for other in (0..second.len()).rev() {
            common[at][other] = if first[at] == second[other] {
                common[at + 1][other + 1] + 1
            } else {
                common[at + 1][other].max(common[at][other + 1])
            };
        }
    }
    let (mut at, mut other, mut lines) = (0, 0, Vec::new());
    while at < first.len() || other < second.len() {
        if at < first.len() && other < second.len() && first[at] == second[other] {
            lines.push((' ', first[at].as_str()));
            at += 1;
            other += 1;
        } else if other == second.len() || (at < first.len() && common[at + 1][other] >= common[at][other + 1]) {
            lines.push(('-', first[at].as_str()));
            at += 1;
        } else {
            lines.push(('+', second[other].as_str()));
            other += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect();
        let difference = Difference { title: "t".to_owned(), plain: lines("a b c d"), redirected: lines("a x c d e") };
        assert_eq!(difference.render(), "t\n    a\n  - b\n  + x\n    c\n    d\n  + e\n");
    }
}
