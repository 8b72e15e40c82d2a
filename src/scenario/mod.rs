//! Scenario files: text to a tree with positions, the tree to a checked plan, or everything that is wrong with it at once.

pub mod ast;
pub mod build;
pub mod diagnostic;
pub mod plan;
pub mod quantity;
pub mod reader;
pub mod render;
pub mod schema;
pub mod suggest;

pub use diagnostic::{Code, Diagnostic, Severity};

use plan::Plan;

/// A scenario's text as a plan and what is doubtful about it, or everything that is wrong with it, in the order of the text.
/// `name` is the scenario's unless the text gives another.
pub fn parse(text: &str, name: &str) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    schema::resolve(&reader::read(text)?, name)
}
