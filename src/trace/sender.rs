//! What a sending transport says of itself: its state over time, and packets that it holds for lost.

use crate::base::{Span, Time};
use std::net::SocketAddrV4;

/// Transport state of one connection at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Series {
    /// When.
    pub time: Time,
    /// The flow.
    pub flow: u64,
    /// Node whose sender this is.
    pub node: u32,
    /// Its address and port.
    pub local: SocketAddrV4,
    /// The other end's.
    pub remote: SocketAddrV4,
    /// Congestion window in bytes.
    pub cwnd: u64,
    /// Slow-start threshold in bytes; `u64::MAX` while it has not been set.
    pub ssthresh: u64,
    /// Smoothed round-trip time; zero before the first sample.
    pub srtt: Span,
    /// Mean deviation of the round-trip time.
    pub rttvar: Span,
    /// Smallest round-trip time of late; zero before the first sample.
    pub min_rtt: Span,
    /// Retransmission timeout, with backoff.
    pub rto: Span,
    /// Bytes sent and neither acknowledged nor considered lost.
    pub in_flight: u64,
    /// Rate at which segments are let go, in bits per second; `None` without pacing.
    pub pacing: Option<u64>,
    /// Segments sent again so far.
    pub retransmitted: u64,
    /// What the sender does about losses.
    pub recovery: Recovery,
}

/// Which protection a QUIC packet has (RFC 9000 12.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuicKind {
    /// Initial keys.
    Initial,
    /// Those for a client's early data.
    ZeroRtt,
    /// Handshake keys.
    Handshake,
    /// Those of the application.
    OneRtt,
}

impl QuicKind {
    /// Its name in qlog: `initial`, `0RTT`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::ZeroRtt => "0RTT",
            Self::Handshake => "handshake",
            Self::OneRtt => "1RTT",
        }
    }
}

/// A QUIC sender holds a packet for lost (RFC 9002 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuicLost {
    /// When.
    pub time: Time,
    /// The flow.
    pub flow: u64,
    /// Node whose packet it was.
    pub node: u32,
    /// Which protection it had.
    pub kind: QuicKind,
    /// Its number.
    pub number: u64,
    /// By time (RFC 9002 6.1.2) and not by packets sent later that have been acknowledged.
    pub by_time: bool,
}

/// What a sender does about losses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Recovery {
    /// Below the slow-start threshold.
    #[default]
    SlowStart,
    /// At or above it.
    CongestionAvoidance,
    /// Reducing the window after marks or losses.
    Recovery,
    /// Starting over after a timeout.
    Timeout,
}

impl Recovery {
    /// The name used in results: `slow_start`...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlowStart => "slow_start",
            Self::CongestionAvoidance => "congestion_avoidance",
            Self::Recovery => "recovery",
            Self::Timeout => "timeout",
        }
    }
}
