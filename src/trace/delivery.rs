//! What came of messages, echoes and transfers in bulk.

use super::Arrival;
use crate::base::{Span, Time};

/// A message handed to a transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageSent {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which message, from 0.
    pub number: u64,
    /// When.
    pub time: Time,
}

/// A message that reached its reader whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which message, from 0.
    pub number: u64,
    /// Its flow.
    pub flow: u64,
    /// When the sender wrote it.
    pub written: Time,
    /// The way of its last byte.
    pub arrival: Arrival,
    /// Payload bytes.
    pub bytes: u64,
}

/// An ICMP echo, or one probe of a traceroute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Echo {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which echo, from 0.
    pub number: u64,
    /// When it was sent.
    pub sent: Time,
    /// TTL that it was sent with.
    pub ttl: u8,
    /// When it was answered, or given up.
    pub ended: Time,
    /// Address that answered and when; `None` if nothing came before the deadline.
    pub answer: Option<(std::net::Ipv4Addr, Time)>,
    /// Whether the answer came from the destination itself.
    pub reached: bool,
    /// Round-trip time split as the packets spent it, for an answer: serialisation, queueing, propagation.
    pub spent: (Span, Span, Span),
}

/// Bytes that a bulk receiver has read so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Which of its flows, from 0.
    pub flow: u32,
    /// When.
    pub time: Time,
    /// Payload bytes read since the flow began.
    pub bytes: u64,
    /// When the flow asked for its connection.
    pub began: Time,
    /// Whether the flow has ended: everything was read, or its time was up.
    pub finished: bool,
}
