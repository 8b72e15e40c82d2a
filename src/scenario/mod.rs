//! Scenario files: text to a tree with positions, the tree to a checked plan, or everything that is wrong with it at once.

pub mod ast;
pub mod plan;
