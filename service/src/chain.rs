//! Errors with their causes, for people.

use std::error::Error;
use std::fmt;

/// An error with all its causes on one line.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Libraries often repeat their cause in their own words; say it once. What is long (the verifier's log) comes
            // last: its first line says enough here.
            let line = text.lines().next().unwrap_or_default();
            if !said.contains(line) {
                write!(f, ": {line}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as &dyn Error)
        }
    }

    fn layers(texts: &[&'static str]) -> Option<Box<Layer>> {
        let (first, rest) = texts.split_first()?;
        Some(Box::new(Layer(first, layers(rest))))
    }

    #[test]
    fn causes_are_said_once_and_by_their_first_line() {
        for (texts, expected) in [
            (&["cannot load"][..], "cannot load"),
            (&["cannot load", "refused"], "cannot load: refused"),
            (&["cannot load: refused", "refused"], "cannot load: refused"),
            (&["cannot load", "refused\n1: R0=0\n2: exit", "errno 22"], "cannot load: refused: errno 22"),
        ] {
            assert_eq!(Chain(layers(texts).unwrap().as_ref()).to_string(), expected);
        }
    }
}
