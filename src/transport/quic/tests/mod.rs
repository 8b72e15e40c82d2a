//! Laws of a QUIC connection over a channel that loses, reorders, doubles and bends what it likes.

mod channel;
mod ecn;
mod handshake;
mod hostile;
mod recovery;
mod streams;
