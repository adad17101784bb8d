//! What this capability has pinned, below `<bpffs>/redirect/layout-<N>/`: the maps, the sock_ops link (`ma_sockops`), the links of two
//! iterators, and of what sees how applications read.
//!
//! A daemon of layout M that finds another `layout-<N>` retires it: switches it off by its `ma_switches`, reads its `ma_retire` until
//! nothing remains, and removes the folder. Those two names and formats never change.

use std::io;
use std::path::PathBuf;

use meshaccel_abi::redirect::{LAYOUT, NAME, names};
use meshaccel_bpf::pins::{Column, Layout, Pins, PinsError};
use meshaccel_bpf::sys::bpf;

/// The pins of this capability.
pub fn column(pins: &Pins) -> Column {
    pins.column(NAME, LAYOUT)
}

/// All layouts that are there, whoever made them: in the column, and where they were before there were columns.
///
/// # Errors
/// When a folder cannot be read.
pub fn layouts(pins: &Pins) -> Result<Vec<Layout>, PinsError> {
    let mut all = column(pins).layouts()?;
    all.extend(pins.column("", LAYOUT).layouts()?);
    Ok(all)
}

/// Path of the sock_ops link.
pub fn sock_ops_link(layout: &Layout) -> PathBuf {
    layout.path(names::SOCKOPS)
}

/// May this process open what is pinned here? Nothing being there is no reason to say no.
///
/// # Errors
/// [`PinsError::Open`] when the kernel denies it.
pub fn may_open(layout: &Layout) -> Result<(), PinsError> {
    let path = layout.path(names::RETIRE);
    match bpf::open_pin(&path) {
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => Err(PinsError::Open { path, source }),
        _ => Ok(()),
    }
}

/// Unpins everything: the sock_ops link first, so that nothing new is recorded, then the maps, and last what tells the next
/// installation that this did not come to its end. Gives what it removed.
///
/// # Errors
/// When the folder cannot be read, or something in it not be removed.
pub fn remove(layout: &Layout) -> Result<Vec<PathBuf>, PinsError> {
    layout.remove(|name| match name {
        names::SOCKOPS => 0,
        names::RETIRING => 3,
        _ => 1 + u32::from(names::MAPS.contains(&name)),
    })
}
