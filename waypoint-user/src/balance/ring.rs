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
    /// A ring of endpoints by their names; each has the same number of places, however many there
    /// are, as the places of those that stay must not change.
    pub fn new<N: AsRef<[u8]>>(names: impl Iterator<Item = N>) -> Self {
        let places = (0_u32..).zip(names).flat_map(|(index, name)| {
            let place = move |seed| (hash::seeded(name.as_ref(), seed), index);
            (0..PLACES_EACH).map(place)
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

/// Places of an endpoint: with these, shares differ by a sixteenth in the mean.
const PLACES_EACH: u32 = 256;
