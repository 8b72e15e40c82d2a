//! Scenario files: text to a tree with positions, the tree to a checked plan, or everything that is wrong with it at once.

pub mod ast;
pub mod build;
pub mod diagnostic;
pub mod plan;
pub mod quantity;
pub mod reader;
pub mod render;
pub mod suggest;

pub use diagnostic::{Code, Diagnostic, Severity};
