//! Packets as real bytes: what a capture shows, what a quote repeats, what a bit flip breaks.

mod checksum;
mod decode;
mod encode;

pub use checksum::Checksum;
pub use decode::{DecodeError, Fault, decode};
pub use encode::{EncodeError, encode, head};

#[cfg(test)]
mod tests;
