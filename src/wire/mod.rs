//! What is on the wire, as data without behaviour, and how it becomes real bytes.

pub mod codec;
mod dscp;
mod icmp;
mod packet;
mod payload;
pub mod quic;
mod segment;
pub mod tls;

pub use dscp::Dscp;
pub use icmp::{Icmp, Quote, UnreachableCode};
pub use packet::{Body, Datagram, Ecn, IPV4_HEADER, Packet, Transit, UDP_HEADER};
pub use payload::{Chunk, HEAD, Payload};
pub use segment::{Cookie, FastOpen, Flags, Options, SackBlocks, Segment, Seq, TCP_HEADER};
