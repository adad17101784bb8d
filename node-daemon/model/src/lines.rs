//! Which line of its file a field stands on.

use std::collections::HashMap;

/// Lines by field path, for one object.
pub type Lines = HashMap<String, u64>;

/// The line of a field, or of the nearest value around it when it is not in the file itself (a missing field).
pub fn line_of(lines: &Lines, field: &str) -> Option<u64> {
    let mut path = Some(field);
    while let Some(current) = path {
        if let Some(line) = lines.get(current) {
            return Some(*line);
        }
        path = parent(current);
    }
    None
}

/// The path of the value that holds this one; None at the root.
pub fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    let cut = if path.ends_with(']') { path.rfind('[') } else { path.rfind('.') };
    Some(path.get(..cut.unwrap_or(0)).unwrap_or_default())
}
