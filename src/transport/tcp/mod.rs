//! TCP (RFC 9293 and its companions) as a sans-IO machine.
//!
//! Order of calls: `handle_segment` or `handle_wake` (or a program's `write`, `read`, `shutdown`, ...), then
//! [`Connection::poll_transmit`] until it returns `None`, then [`Connection::poll_event`] until it returns `None`, then
//! [`Connection::wake`].
//!
//! Loss detection and recovery follow Linux 6.x in structure: a scoreboard of sent segments, RACK-TLP (RFC 8985), PRR
//! (RFC 6937), F-RTO (RFC 5682), undo by timestamps (RFC 3522) and D-SACK (RFC 3708). What is left out, and who could notice:
//! urgent data, segmentation offload (bursts leave segment by segment), ACK compression by time, TCP-AO, MPTCP, and accurate
//! ECN (RFC 9768).

mod acknowledge;
mod acks;
mod bursts;
mod config;
mod connection;
mod ecn;
mod fast_open;
mod info;
mod input;
mod output;
mod predicted;
mod receive;
mod recovery;
mod scoreboard;
mod send_buffer;
mod signals;
#[cfg(test)]
mod tests;
mod timers;
mod undo;

pub use super::congestion::Algorithm;
pub use config::{Config, Constants, Profile};
pub use connection::Connection;
pub use ecn::EcnMode;
pub use info::Info;
pub use signals::{Departure, Event, Next, Reason, State, Transmit, Wake};

use crate::wire::{Flags, Segment, Seq};

/// The reset with which a host answers a segment that meets no connection (RFC 9293 3.10.7.1); `None` for a reset.
#[must_use]
pub fn reset_for(segment: &Segment) -> Option<Segment> {
    if segment.flags.has(Flags::RST) {
        return None;
    }
    let mut reset = Segment { src_port: segment.dst_port, dst_port: segment.src_port, ..Segment::default() };
    if segment.flags.has(Flags::ACK) {
        reset.flags = Flags::RST;
        reset.seq = segment.ack;
    } else {
        reset.flags = Flags::RST | Flags::ACK;
        reset.seq = Seq(0);
        reset.ack = segment.seq_end();
    }
    Some(reset)
}
