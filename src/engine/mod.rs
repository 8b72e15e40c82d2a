//! Decides what happens next: the event queue and its one order.

mod queue;

pub use queue::{Key, Queue};
