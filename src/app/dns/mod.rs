//! The Domain Name System: messages as real bytes (RFC 1035), names, and a cache that obeys TTLs.

mod cache;
mod codec;
mod message;
mod name;

pub use cache::{Cache, Followed, Known, MAX_ALIASES, Negative};
pub use codec::{DecodeError, MAX_MESSAGE};
pub use message::{Data, Edns, Flags, Kind, Message, Question, Rcode, Record, Soa};
pub use name::{Name, NameError};
