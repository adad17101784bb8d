//! One manifest file's text, as trees that remember on which line each value stands.
//!
//! Owns YAML (of which JSON is a part): several documents, anchors, merge keys, all within the parser's budgets, since
//! the text is not trusted. Knows nothing of Kubernetes. A tree, not typed objects at once, because a line is needed
//! twice more after the types are known: for what validation refuses, and for what selection refuses later.

use std::fmt;

use meshaccel_model::lines::Lines;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

/// One value and the line on which it starts, counted from 1.
#[derive(Debug)]
pub struct Node {
    /// Where it starts.
    pub line: u64,
    /// What it is.
    pub content: Content,
}

/// What a [`Node`] holds.
#[derive(Debug)]
pub enum Content {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    /// Items in the order of the file.
    List(Vec<Node>),
    /// Entries in the order of the file; keys are unique.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// The line of the key: what a person is sent to.
    pub line: u64,
    /// Its value.
    pub value: Node,
}

/// Text that is not YAML, or not within the budgets.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where the parser gave up, when it knows.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
}

/// All documents of a text; empty documents are left out.
///
/// # Errors
/// When the text is not YAML, names a key twice, or exceeds a budget of the parser.
pub fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    // Only true and false are booleans: a namespace called "n" or a label "on" is text.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let documents: Vec<Node> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
        SyntaxError { line, message: without_location(&error.to_string()) }
    })?;
    documents.iter().try_for_each(Node::check_keys)?;
    Ok(documents)
}

impl Node {
    /// The value of one of a map's entries.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            Content::Scalar(_) | Content::List(_) => &[],
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(value) => value.as_str(),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The same value without lines.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Node::to_value).collect(),
            Content::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect(),
        }
    }

    /// The line of every field below this value, by its path from here.
    pub fn lines(&self) -> Lines {
        let mut lines = Lines::from([(String::new(), self.line)]);
        self.collect_lines("", &mut lines);
        lines
    }

    /// Keys end up in field paths, and those in log lines and on terminals.
    fn check_keys(&self) -> Result<(), SyntaxError> {
        match &self.content {
            Content::Scalar(_) => Ok(()),
            Content::List(items) => items.iter().try_for_each(Self::check_keys),
            Content::Map(entries) => entries.iter().try_for_each(|entry| {
                if entry.key.chars().any(char::is_control) {
                    let message = format!("control characters are not allowed in the key {:?}", entry.key);
                    return Err(SyntaxError { line: Some(entry.line), message });
                }
                entry.value.check_keys()
            }),
        }
    }

    fn collect_lines(&self, path: &str, lines: &mut Lines) {
        match &self.content {
            Content::Scalar(_) => {}
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = join_index(path, index);
                    item.collect_lines(&path, lines);
                    lines.insert(path, item.line);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    let path = join_key(path, &entry.key);
                    entry.value.collect_lines(&path, lines);
                    lines.insert(path, entry.line);
                }
            }
        }
    }
}

/// The path of an entry of a map. A key with a dot or slash stands in brackets, as Kubernetes writes it:
/// `metadata.annotations[meshaccel.dev/netns]`.
pub fn join_key(path: &str, key: &str) -> String {
    if key.contains(['.', '/', '[', ']']) {
        format!("{path}[{key}]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The path of an item of a list.
pub fn join_index(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// The parser ends its messages with the place, which is reported beside them.
fn without_location(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let message = match message.rfind(" at line ") {
        Some(cut) => message.get(..cut).unwrap_or(message),
        None => message,
    };
    message.strip_prefix("error: ").unwrap_or(message).to_owned()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { line: spanned.referenced.line(), content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom(format!("{value} is not a number")))?;
        Ok(Content::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Node>()? {
            entries.push(Entry { key: key.value, line: key.referenced.line(), value });
        }
        Ok(Content::Map(entries))
    }
}

#[cfg(test)]
mod tests;
