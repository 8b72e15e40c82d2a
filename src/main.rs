//! The `lightlag` command.

fn main() {}
