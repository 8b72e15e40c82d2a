//! Registries of a plan: who signs on where, and who finds others there.

use crate::base::{Span, Time};
use crate::service::balancer::policy::Algorithm;
use crate::service::registry::Refresh;

/// Port of registries, as Consul's.
pub const PORT: u16 = 8_500;

/// Where and as what a machine signs on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registering {
    /// The registry's node.
    pub registry: u32,
    /// Name of the service.
    pub service: String,
    /// From one renewal to the next.
    pub heartbeat: Span,
    /// Dropped when nothing was heard for so long.
    pub lease: Span,
    /// When it signs on.
    pub from: Time,
    /// When it signs off.
    pub until: Option<Time>,
}

/// How askers find whom to ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discovery {
    /// The registry's node.
    pub registry: u32,
    /// How their copy of its list is kept.
    pub refresh: Refresh,
    /// How one on it is chosen.
    pub algorithm: Algorithm,
}
