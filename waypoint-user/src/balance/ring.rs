//! Endpoints on a ring: a request goes to the next one from its own place on.
//!
//! **Invariant:** an endpoint that comes or goes moves only requests to it, or from it, as long as
//! the lightest weighs the same.

use super::hash;

/// A ring.
#[derive(Debug, Default)]
pub struct Ring {
    /// Places in ascending order, each with the index of its endpoint.
    places: Vec<(u64, u32)>,
}

impl Ring {
    /// A ring of endpoints by their names, and what they weigh. The lightest has the same number of
    /// places, however many there are, as the places of those that stay must not change.
    pub fn new<N: AsRef<[u8]>>(endpoints: impl Iterator<Item = (N, u32)>) -> Self {
        let endpoints: Vec<(N, u32)> = endpoints.collect();
        let lightest = endpoints.iter().map(|(_, weight)| *weight).min().unwrap_or(1).max(1);
        let total: u64 = endpoints.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let number = endpoints.len() as u64;
        let of_all = PLACES_MAX.max(number * u64::from(PLACES_EACH));
        let count = |weight: u32| {
            let wanted = u64::from(weight) * u64::from(PLACES_EACH) / u64::from(lightest);
            let part = (u64::from(weight) * of_all).checked_div(total).unwrap_or_default();
            u32::try_from(wanted.min(part)).unwrap_or(u32::MAX).max(1)
        };
        let places = (0_u32..).zip(endpoints).flat_map(|(index, (name, weight))| {
            let place = move |seed| (hash::seeded(name.as_ref(), seed), index);
            (0..count(weight)).map(place)
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

/// Places of the lightest endpoint: with these, shares differ by a sixteenth in the mean.
const PLACES_EACH: u32 = 256;
/// Places of all endpoints, where they are not so many that each has as many places as the lightest
/// without any weights: beyond, the lightest get fewer.
const PLACES_MAX: u64 = 262_144;
