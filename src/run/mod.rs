//! One call: a scenario and a seed to an outcome.

pub mod anycast;
pub mod balancing;
pub mod edges;
pub mod expect;
pub mod outcome;
pub mod registry;
pub mod roaming;
pub mod series;
mod simulation;
pub mod stores;
mod summarise;
pub mod timeline;

pub use edges::{EdgeOutcome, PurgeOutcome};
pub use outcome::Outcome;
pub use simulation::{Observer, Simulation, observed};
pub use summarise::{Drops, Ended, LinkCounters, of_traffic, summarise};
