//! Decides what happens next: the event queue and its one order, and the wheel of what happens to links.

mod heap;
mod queue;
mod wheel;

pub use queue::{Key, Queue};
pub use wheel::{Due, Wheel};
