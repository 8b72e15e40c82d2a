//! When users ask: open loop, where requests come whatever happens to those before, or closed loop, where users wait.

use crate::base::{Dist, Span, Time};

/// The pattern of a traffic's requests.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrivals {
    /// One request.
    Once,
    /// Open loop, one every so often, the first at the start.
    Every(Span),
    /// Open loop, a Poisson process; the first comes one gap after the start.
    Poisson {
        /// Mean time between requests.
        mean_gap: Span,
    },
    /// Open loop, at these instants of the run, in order.
    At(Vec<Time>),
    /// Closed loop: users who ask, wait for the answer, think, and ask again; all ask first at the start.
    Users {
        /// How many.
        count: u32,
        /// How long each thinks before asking again.
        think: Dist,
    },
}
