//! Balancers: one address for many servers. By requests (L7) or by connections (L4), by a policy, past those that fail.
//!
//! A balancer knows its backends by what comes back: answers, their absence, and the results of its own checks.

pub(in crate::service) mod backends;
mod config;
mod group;
mod health;
pub mod l4;
mod l7;
mod members;
pub mod outlier;
pub mod policy;
mod slow_start;

pub use config::{Config, Layer, Member, Pool, Return};
pub use group::Group;
pub(in crate::service) use health::probe;
pub use health::{Check, Probe};
pub(in crate::service) use l7::hash_of;
pub use l7::{Match, Route};
pub(in crate::service) use members::Members;

use crate::host::Host;

/// Balances for ever.
pub async fn run(host: Host, config: Config) {
    match config.layer {
        Layer::L7 { idle } => l7::run(host, config, idle).await,
        Layer::L4 { back, idle } => l4::run(host, config, back, idle).await,
    }
}
