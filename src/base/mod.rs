//! Numbers with meaning: time, sizes, rates, chance and ids, each a type of its own.

mod digest;
mod dist;
mod id;
mod rng;
mod time;
mod units;

pub use digest::Digest;
pub use dist::{Dist, Zipf};
pub use id::{Arena, Id};
pub use rng::{Rng, stream_id};
pub use time::{Span, Time};
pub use units::{BitRate, Bytes, Ratio, Serialiser};
