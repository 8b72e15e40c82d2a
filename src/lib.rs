//! lightlag: a deterministic, packet-level network simulator.
//!
//! The modules are storeys of one house: imports only go down. `ARCHITECTURE.md` names each storey and
//! `tests/layers.rs` holds the list.

pub mod app;
pub mod base;
pub mod cli;
pub mod drill;
pub mod engine;
pub mod fault;
pub mod host;
pub mod ip;
pub mod link;
pub mod observe;
pub mod report;
pub mod run;
pub mod scenario;
pub mod service;
pub mod topo;
pub mod trace;
pub mod transport;
pub mod wire;
pub mod world;
