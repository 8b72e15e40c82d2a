//! TLS 1.2 and 1.3 over a stream: handshakes in their round trips, records readable only when whole, resumption, early data.
//!
//! [`Session`] is the protocol without input and output: records go in, bytes to write and events come out. [`TlsStream`] runs
//! one over a [`TcpStream`](crate::host::TcpStream), with the same methods, so that protocols above work over either.
//!
//! Nothing is encrypted: payload stays readable inside the simulator, where attribution and parsers need it. What stands in for
//! encryption is a key per direction and epoch that only both ends can derive, and a tag under it and the record's number in the
//! 16 bytes where the cipher's tag stands. A record under the wrong key or out of its place fails as it would outside.
//!
//! Not modelled: what [`wire::tls`](crate::wire::tls) does not, False Start (RFC 7918), replay protection for early data, and the
//! client's own work (checking signatures).

mod client;
mod config;
mod keys;
mod records;
mod server;
mod session;
mod stream;
#[cfg(test)]
mod tests;

pub use config::{ClientConfig, DEFAULT_CHAIN, ServerConfig, Ticket, Tickets};
pub use session::{Event, Failed, Session};
pub use stream::{TlsError, TlsStream};
