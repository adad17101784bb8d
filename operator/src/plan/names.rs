//! Names of nodes for a sentence: the first few, and how many more.

use std::collections::BTreeSet;
use std::fmt;

/// How many a sentence names.
const NAMED: usize = 5;

/// A set of names of which a sentence shows the first few by alphabet, so that it does not change for no reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names<'a> {
    first: BTreeSet<&'a str>,
    count: usize,
}

impl<'a> Names<'a> {
    /// Each name at most once.
    pub fn add(&mut self, name: &'a str) {
        self.count += 1;
        self.first.insert(name);
        if self.first.len() > NAMED {
            self.first.pop_last();
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> FromIterator<&'a str> for Names<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.add(name));
        all
    }
}

/// `a, b and c`, or `a, b, c, d, e and 12 more`.
impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.count - self.first.len();
        for (index, name) in self.first.iter().enumerate() {
            let last = index + 1 == self.first.len() && more == 0;
            match (index, last) {
                (0, _) => f.write_str(name)?,
                (_, true) => write!(f, " and {name}")?,
                (_, false) => write!(f, ", {name}")?,
            }
        }
        if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
    }
}

/// `1 node`, `2 nodes`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `1 node`, `2 nodes`.
pub fn nodes(count: usize) -> String {
    counted(count, "node", "nodes")
}

/// Cuts a text to so many bytes, at a character.
pub fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes - '…'.len_utf8()).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_five_and_counts_the_rest() {
        let say = |names: &[&str]| names.iter().copied().collect::<Names<'_>>().to_string();
        assert_eq!(say(&["b"]), "b");
        assert_eq!(say(&["b", "a"]), "a and b");
        assert_eq!(say(&["c", "b", "a"]), "a, b and c");
        assert_eq!(say(&["g", "f", "e", "d", "c", "b", "a"]), "a, b, c, d, e and 2 more");
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(cut("häuser".into(), 100), "häuser");
        assert_eq!(cut("häuser".into(), 6), "hä…");
        assert_eq!(cut("häuser".into(), 5), "h…");
    }
}
