//! One call: a scenario and a seed to an outcome.

pub mod expect;
pub mod outcome;
mod summarise;

pub use outcome::Outcome;
pub use summarise::{Drops, Ended, LinkCounters, of_traffic, summarise};
