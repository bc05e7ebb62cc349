//! Programs of another build, as a process finds them that is started after an upgrade.

use std::path::Path;

use aya::maps::{Array, Map, MapData};
use waypoint_common::{ABI, map, redirect::Config};

/// Makes the pinned programs look like another build's.
pub(crate) fn pretend_another_build(pin_dir: &Path) {
    let pinned =
        MapData::from_pin(pin_dir.join(format!("v{ABI}/maps")).join(map::CFG)).expect("a map");
    let mut config: Array<_, Config> = Map::Array(pinned).try_into().expect("an array");
    let written = config.get(&0, 0).expect("an entry");
    config.set(0, Config { programs: !written.programs, ..written }, 0).expect("an entry");
}
