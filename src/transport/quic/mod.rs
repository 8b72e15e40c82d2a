//! QUIC (RFC 9000, 9001, 9002) as a sans-IO machine.
//!
//! Order of calls: `handle_datagram` or `handle_wake` (or a program's `open`, `write`, `read`, ...), then
//! [`Connection::poll_transmit`] until it returns `None`, then [`Connection::poll_event`] until it returns `None`, then
//! [`Connection::wake`].
//!
//! Congestion controllers and the smoothed round-trip time are TCP's ([`super::congestion`], [`super::rtt`]): a window counts
//! datagrams of full size. What is left out, and who could notice: the search for a larger datagram (RFC 8899), key updates, the spin
//! bit, preferred addresses, unreliable datagrams (RFC 9221), version 2, undoing a reduction that a late packet shows to have been a mistake.

mod assembler;
mod config;
mod connection;
mod ecn;
mod ids;
mod input;
mod output;
mod path;
mod received;
mod recovery;
mod retry;
mod send;
mod signals;
mod space;
mod streams;
#[cfg(test)]
mod tests;
mod tls;

pub use crate::wire::quic::ID_LEN;
pub use config::Config;
pub use connection::{Accepting, Connection, Info, LostPacket, Opening};
pub use ecn::EcnPath;
pub use ids::Secrets;
pub use retry::{proven_by, retry_id, retry_token};
pub use signals::{Code, Event, Reason, Transmit, Wake};
pub use tls::{Chain, Ticket, chain};
