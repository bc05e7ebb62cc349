//! Endpoints on a ring: a request goes to the next one from its own place on.
//!
//! **Invariant:** an endpoint that comes or goes moves only requests to it, or from it.

use super::hash;

/// A ring.
#[derive(Debug, Default)]
pub struct Ring {
    /// Places in ascending order, each with the index of its endpoint.
    places: Vec<(u64, u32)>,
}

impl Ring {
    /// A ring of endpoints by their names; each has the same number of places.
    pub fn new<N: AsRef<[u8]>>(names: impl ExactSizeIterator<Item = N>) -> Self {
        let each = (PLACES_MIN / names.len().max(1)).clamp(PLACES_EACH_MIN, PLACES_EACH_MAX);
        let each = u32::try_from(each).unwrap_or_default();
        let places = (0_u32..).zip(names).flat_map(|(index, name)| {
            let place = move |seed| (hash::seeded(name.as_ref(), seed), index);
            (0..each).map(place)
        });
        let mut places: Vec<_> = places.collect();
        places.sort_unstable();
        Self { places }
    }

    /// The first endpoint from a hash on that may be taken.
    pub fn find(&self, hash: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let from = self.places.partition_point(|(place, _)| *place < hash);
        let (before, after) = self.places.split_at_checked(from)?;
        let mut places =
            after.iter().chain(before).filter_map(|(_, index)| usize::try_from(*index).ok());
        places.find(|index| may(*index))
    }
}

/// How many places a ring has at least, if there are not too few endpoints.
const PLACES_MIN: usize = 4096;
/// Fewest places of an endpoint.
const PLACES_EACH_MIN: usize = 40;
/// Most places of an endpoint.
const PLACES_EACH_MAX: usize = 512;
