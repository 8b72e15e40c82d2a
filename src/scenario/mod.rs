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
pub use plan::Plan;

/// The plan of a scenario file's text and the warnings about it, or everything that is wrong with it, warnings included. A
/// scenario that does not say its name is called `name`: the file's, without its ending.
pub fn parse(text: &str, name: &str) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let root = reader::read(text)?;
    schema::resolve(&root, name)
}
