//! Scenario text to a checked plan, or every fault in it at once, each pointing at its place.

pub mod ast;
pub mod diagnostic;
pub mod render;

pub use diagnostic::{Code, Diagnostic, Severity};
