//! Endpoints that weigh differently: of the requests each gets a part as large as it weighs.
//!
//! Where all weigh the same nobody asks here.

/// What endpoints weigh that declare this, or nothing where all weigh the same. Together they weigh
/// [`TOTAL_MAX`] at most: what is more is scaled down, and none to less than one.
pub fn of(declared: &[u32]) -> Option<Vec<u32>> {
    let first = declared.first()?;
    if declared.iter().all(|weight| weight == first) {
        return None;
    }
    let total: u64 = declared.iter().map(|weight| u64::from(*weight)).sum();
    let scaled = |weight: &u32| {
        let part = u64::from(*weight) * u64::from(TOTAL_MAX) / total;
        u32::try_from(part).unwrap_or(TOTAL_MAX).max(1)
    };
    let is_bounded = total <= u64::from(TOTAL_MAX);
    Some(if is_bounded { declared.to_vec() } else { declared.iter().map(scaled).collect() })
}

/// A candidate by chance, each as often as its part of all parts says.
pub fn draw(
    candidates: usize,
    part: impl Fn(usize) -> u32,
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<usize> {
    let total = (0..candidates).fold(0_u32, |total, index| total.saturating_add(part(index)));
    let mut left = if total == 0 { return None } else { dice(total) };
    let mut last = None;
    for index in 0..candidates {
        let part = part(index);
        if left < part {
            return Some(index);
        }
        left -= part;
        last = Some(index).filter(|_| part > 0).or(last);
    }
    last
}

/// Of two candidates that are drawn by their parts, the one with the smaller load. Loads are what
/// is outstanding beside what a candidate weighs, so that equal ones leave the draw as it was.
pub fn least_request<L: PartialOrd>(
    candidates: usize,
    (part, load): (impl Fn(usize) -> u32, impl Fn(usize) -> L),
    dice: &mut dyn FnMut(u32) -> u32,
) -> Option<usize> {
    let first = draw(candidates, &part, dice)?;
    let second = draw(candidates, &part, dice)?;
    Some(if load(second) < load(first) { second } else { first })
}

/// Whose turn it is among candidates that weigh differently, with the turns of each spread out.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    /// What each has saved up; all together nothing.
    saved: Vec<i64>,
}

impl Turns {
    /// The candidate whose turn it is; one whose part is zero is left out.
    pub fn choose(&mut self, candidates: usize, part: impl Fn(usize) -> u32) -> Option<usize> {
        self.saved.resize(candidates, 0);
        let mut total = 0;
        let mut most: Option<(i64, usize)> = None;
        for (index, saved) in self.saved.iter_mut().enumerate() {
            let part = i64::from(part(index));
            *saved += part;
            total += part;
            if part > 0 && most.is_none_or(|(most, _)| *saved > most) {
                most = Some((*saved, index));
            }
        }
        let (_, chosen) = most?;
        *self.saved.get_mut(chosen)? -= total;
        Some(chosen)
    }
}

/// What endpoints weigh together at most, so that parts in thousandths of it are still numbers of
/// 32 bits.
pub const TOTAL_MAX: u32 = 1_000_000;
