//! One latency as a waterfall: each phase that took time, from where the one before it ended.

use super::phase::{Budget, Phase};
use crate::base::Span;

/// One bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// The phase.
    pub phase: Phase,
    /// Where it begins, from the beginning of the whole.
    pub start: Span,
    /// How long it is.
    pub length: Span,
}

/// The bars of a budget, in order; phases that took no time are left out. Serialisation, queueing and propagation of one packet
/// alternate hop by hop; each is drawn as one bar.
#[must_use]
pub fn bars(budget: &Budget<'_>) -> Vec<Bar> {
    let mut at = Span::ZERO;
    let mut bars = Vec::new();
    for (phase, length) in budget.iter().filter(|(_, length)| !length.is_zero()) {
        bars.push(Bar { phase, start: at, length });
        at += length;
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_each_other_without_gap() {
        let shares = [3, 0, 4, 0].map(Span::from_nanos);
        let bars = bars(&Budget::new(Phase::ECHO, &shares));
        let parts: Vec<_> = bars.iter().map(|bar| (bar.phase, bar.start.as_nanos(), bar.length.as_nanos())).collect();
        assert_eq!(parts, [(Phase::Serialisation, 0, 3), (Phase::Propagation, 3, 4)]);
    }
}
