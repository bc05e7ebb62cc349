//! A weighted choice.
//!
//! **Invariant:** a weight of zero is never chosen.

/// Weights, summed up so that one roll decides.
#[derive(Debug)]
pub(super) struct Split {
    /// For each weight, the first roll beyond its share.
    ends: Vec<u32>,
}

impl Split {
    /// Sums weights up. Where their sum is too large for a roll, all are halved until it is not,
    /// which may leave nothing of a weight that is minute beside the others.
    pub(super) fn new(weights: &[u32]) -> Self {
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let halvings = (u64::BITS - total.leading_zeros()).saturating_sub(u32::BITS);
        let mut end = 0_u32;
        let ends = weights
            .iter()
            .map(|weight| {
                end = end.saturating_add(weight >> halvings);
                end
            })
            .collect();
        Self { ends }
    }

    /// Which weight is chosen; `None` when there is none above zero.
    pub(super) fn pick(&self, dice: &mut dyn FnMut(u32) -> u32) -> Option<usize> {
        let total = self.ends.last().copied().filter(|total| *total > 0)?;
        let roll = dice(total).min(total - 1);
        Some(self.ends.partition_point(|end| *end <= roll))
    }
}
