//! What may differ between QUICs: the constants of RFC 9002, and the settings of a host.

use crate::base::Span;
use crate::transport::congestion::Algorithm;
use crate::transport::rtt::Rule;
use crate::transport::tcp::EcnMode;

/// The round-trip time assumed before the first sample (RFC 9002 6.2.2).
pub(super) const INITIAL_RTT: Span = Span::from_millis(333);
/// Timers are not finer than this (RFC 9002 6.1.2).
pub(super) const GRANULARITY: Span = Span::from_millis(1);
/// A packet is lost when one that was sent so many later is acknowledged (RFC 9002 6.1.1).
pub(super) const PACKET_THRESHOLD: u64 = 3;
/// Losses over so many probe timeouts are persistent congestion (RFC 9002 7.6.1).
pub(super) const PERSISTENT_CONGESTION: u64 = 3;
/// The first window and the smallest, in datagrams of full size (RFC 9002 7.2).
pub(super) const INITIAL_WINDOW: u32 = 10;
pub(super) const MINIMUM_WINDOW: u32 = 2;
/// Ack-eliciting packets for one acknowledgment (RFC 9000 13.2.2).
pub(super) const ACK_EVERY: u32 = 2;
/// Ranges in one ACK frame at most; older ones have been told before.
pub(super) const ACK_RANGES: usize = 32;
/// Delays of acknowledgments are told in units of two to this power microseconds (RFC 9000 18.2: the default).
pub(super) const ACK_DELAY_EXPONENT: u8 = 3;

/// The smoothed round-trip time of RFC 9002 5.3 needs neither floor nor ceiling: its timeouts have their own.
pub(super) const RTT_RULE: Rule =
    Rule { floor_on_variance: false, floor: Span::ZERO, ceiling: Span::MAX, initial: Span::from_millis(999) };

/// QUIC settings of a host or an endpoint.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which congestion controller.
    pub congestion: Algorithm,
    /// Explicit congestion notification: whether packets say that they may be marked, and whether marks are reported. A controller
    /// that needs marks asks for them in any case.
    pub ecn: EcnMode,
    /// Whether packets are spread over the round trip (RFC 9002 7.7); a controller that paces by itself always does.
    pub pacing: bool,
    /// UDP payload of a full datagram in bytes, at least 1,200. Its search (RFC 8899) is not modelled: 1,350 is what Chromium
    /// sends without it.
    pub max_datagram: u32,
    /// Give up after so long without a packet from the peer.
    pub idle_timeout: Span,
    /// Longest delay of an acknowledgment.
    pub max_ack_delay: Span,
    /// Bytes that a stream may carry before its reader must have read some; grows with the reader up to the limit.
    pub stream_window: u64,
    /// The same for all streams of a connection together.
    pub connection_window: u64,
    /// What the windows grow to where a reader empties them faster than twice a round trip.
    pub stream_window_limit: u64,
    /// The same for the connection.
    pub connection_window_limit: u64,
    /// Two-way and one-way streams that the peer may have open at a time.
    pub streams: [u64; 2],
    /// Bytes that a stream holds of what the program has written and the peer has not acknowledged.
    pub send_buffer: u64,
    /// Whether a client that has a ticket sends data with its first flight, and whether a server takes it.
    pub early_data: bool,
    /// Whether a server gives out tickets for resumption.
    pub tickets: bool,
    /// Whether a server makes clients prove their address first (RFC 9000 8.1.2): one round trip more.
    pub retry: bool,
    /// Bytes of the server's certificate chain as the client is shown it.
    pub certificate_chain: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            congestion: Algorithm::by_name("cubic").unwrap_or(Algorithm::Reno),
            ecn: EcnMode::Passive,
            pacing: true,
            max_datagram: 1350,
            idle_timeout: Span::from_secs(30),
            max_ack_delay: Span::from_millis(25),
            // Chromium's.
            stream_window: 6 << 20,
            connection_window: 15 << 20,
            stream_window_limit: 16 << 20,
            connection_window_limit: 24 << 20,
            streams: [100, 100],
            send_buffer: 16 << 20,
            early_data: true,
            tickets: true,
            retry: false,
            certificate_chain: 2_400,
        }
    }
}
