//! Balancers: one address for many servers.

pub mod policy;
