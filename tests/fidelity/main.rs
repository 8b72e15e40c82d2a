//! lightlag beside measurements on a real Linux 6.18 kernel, over the path that they were made on.
//!
//! A plain `cargo test` judges a quick part of the grid. All of it, cell by cell:
//! `cargo test --release --test fidelity -- --include-ignored --nocapture`

#![expect(unreachable_pub, reason = "the modules of a test share their items")]
#![expect(clippy::print_stdout, reason = "the table is what one runs this for")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the figures are small and not negative")]

mod exchange;
mod fct;
mod goodput;
mod laws;
mod messages;
mod pair;
mod path;
mod rounds;
mod table;
mod timers;
mod web;
