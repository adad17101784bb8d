//! Opens pinned maps by type.

use std::io;

use aya::maps::MapError;
use thiserror::Error;

/// What can go wrong with a map.
#[derive(Debug, Error)]
pub enum MapsError {
    #[error("cannot open the map {name}")]
    Open {
        name: &'static str,
        #[source]
        source: MapError,
    },
    #[error("cannot wait for the map {name}")]
    Wait {
        name: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot read the map {name}")]
    Read {
        name: &'static str,
        #[source]
        source: MapError,
    },
    #[error("cannot write the map {name}")]
    Write {
        name: &'static str,
        #[source]
        source: MapError,
    },
}

/// Opens the map that is pinned in a layout under a name, as the type that is asked for.
#[macro_export]
macro_rules! open {
    ($layout:expr, $name:expr, $variant:path) => {{
        let open = |source| $crate::maps::MapsError::Open { name: $name, source };
        let data = $crate::aya::maps::MapData::from_pin($layout.path($name)).map_err(open)?;
        $variant(data).try_into().map_err(open)?
    }};
}

pub use crate::open;
