//! What differs from TCP although everything that can be recognised is recognised, and the kernel code that forces it.

/// A behaviour that differs.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub name: &'static str,
    /// The kernel function, and how it leads to the difference.
    pub why: &'static str,
    /// It depends on timing: that it does not differ proves nothing.
    pub sometimes: bool,
}

pub const KNOWN: &[Known] = &[];

/// The entry of a behaviour.
pub fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}
