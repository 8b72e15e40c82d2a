//! Readers of the trace: they turn records into what a person wants to know, and change nothing.

pub mod anycast;
pub mod attribution;
pub mod balancers;
pub mod capture;
pub mod cases;
mod decode;
pub mod depth;
pub mod edges;
pub mod fetches;
mod ledger;
pub mod metrics;
pub mod parts;
pub mod phase;
pub mod qlog;
pub mod registry;
pub mod roaming;
pub mod samples;
pub mod sequence;
pub mod series;
pub mod stores;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod waterfall;

pub use cases::{Case, Cases, Pick, Story};
pub use metrics::{Kind, Metrics, Plan, Traffic};
pub use phase::{Budget, Phase};
pub use samples::{Percentile, Sample, Samples, Sorted};
