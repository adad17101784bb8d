//! What is wrong with the objects, for people.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, for a person. Displayed as `pods.yaml:14: spec.mode: unknown variant ...`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Name of the file in its folder, or the folder's path; empty when it came from an API server.
    pub file: String,
    /// Line in that file, from 1.
    pub line: Option<u64>,
    /// Path of the field in its object.
    pub field: Option<String>,
    /// Kind and name of the object: `Pod shop/web`.
    pub object: Option<String>,
    /// What is wrong, to be read after the above.
    pub message: String,
}

impl Problem {
    /// What is wrong with which field, without where it was read.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.field {
            Some(field) => format!("{field}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.file.is_empty() { self.object.as_deref().unwrap_or("objects") } else { &self.file })?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}
