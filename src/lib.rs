//! lightlag: a deterministic, packet-level network simulator.
//!
//! The modules are storeys of one house: imports only go down. `ARCHITECTURE.md` names each storey and
//! `tests/layers.rs` holds the list.

pub mod base;
pub mod engine;
pub mod ip;
pub mod topo;
pub mod trace;
pub mod wire;
