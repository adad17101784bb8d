//! What this node reports: composed from what is (pure), and written to its NodeAcceleration when that has changed.

mod compose;
mod pace;
mod reporter;

pub use self::compose::compose;
pub use self::reporter::Reporter;
