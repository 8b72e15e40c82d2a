//! What can be asked of a connection (Linux `tcp_info`).

use super::connection::Connection;
use super::signals::State;
use crate::base::{BitRate, Span, Time};
use crate::transport::congestion::{INFINITE_SSTHRESH, Phase};

/// A connection's state at one instant. Counts are segments unless a name says bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// State of the connection.
    pub state: State,
    /// Phase of loss recovery.
    pub phase: Phase,
    /// Congestion window.
    pub cwnd: u32,
    /// Slow-start threshold; `0x7fff_ffff` before any loss.
    pub ssthresh: u32,
    /// Congestion window in bytes.
    pub cwnd_bytes: u64,
    /// Slow-start threshold in bytes; `u64::MAX` before any loss.
    pub ssthresh_bytes: u64,
    /// Sent and not acknowledged.
    pub unacked: u32,
    /// Of those, SACKed.
    pub sacked: u32,
    /// Of those, considered lost.
    pub lost: u32,
    /// Retransmissions in flight.
    pub retrans: u32,
    /// Retransmissions in all.
    pub total_retrans: u64,
    /// Delivered in all.
    pub delivered: u64,
    /// Bytes believed to be in flight.
    pub bytes_in_flight: u64,
    /// Smoothed round-trip time.
    pub srtt: Span,
    /// Mean deviation of the round-trip time.
    pub rttvar: Span,
    /// Smallest round-trip time of late.
    pub min_rtt: Span,
    /// Retransmission timeout, with backoff.
    pub rto: Span,
    /// Doublings of the timeout.
    pub backoff: u32,
    /// Window or keep-alive probes without an answer.
    pub probes: u32,
    /// Payload of a full segment, in bytes.
    pub snd_mss: u32,
    /// Segment size that we announce, in bytes.
    pub advmss: u32,
    /// Segment size seen from the peer, in bytes.
    pub rcv_mss: u32,
    /// Payload acknowledged by the peer, in bytes.
    pub bytes_acked: u64,
    /// Payload received in order, in bytes.
    pub bytes_received: u64,
    /// Last instant at which data came, or the handshake was over.
    pub last_received: Time,
    /// How often the network has reordered.
    pub reorderings: u32,
    /// Degree of reordering that the network has shown.
    pub reordering: u32,
    /// Whether timestamps, SACK and window scaling are in use.
    pub options: (bool, bool, bool),
    /// Whether data in the SYN has been taken in (RFC 7413).
    pub syn_data: bool,
    /// Window of the peer, in bytes.
    pub peer_window: u64,
    /// Rate at which segments are let go; `None` without pacing.
    pub pacing_rate: Option<BitRate>,
}

impl Connection {
    /// Doublings of the retransmission timeout since something was acknowledged last.
    #[must_use]
    pub const fn backoff(&self) -> u32 {
        self.timers.backoff
    }

    /// The connection's state now.
    #[must_use]
    pub fn info(&self) -> Info {
        let mss = u64::from(self.mss);
        let infinite = self.window.ssthresh >= INFINITE_SSTHRESH;
        Info {
            state: self.state,
            phase: self.phase,
            cwnd: self.window.cwnd,
            ssthresh: self.window.ssthresh,
            cwnd_bytes: u64::from(self.window.cwnd) * mss,
            ssthresh_bytes: if infinite { u64::MAX } else { u64::from(self.window.ssthresh) * mss },
            unacked: self.board.packets_out(),
            sacked: self.board.sacked_out,
            lost: self.board.lost_out,
            retrans: self.board.retrans_out,
            total_retrans: self.board.retransmitted,
            delivered: self.board.delivered,
            bytes_in_flight: u64::from(self.board.in_flight()) * mss,
            srtt: self.rtt.srtt(),
            rttvar: self.rtt.variance(),
            min_rtt: self.rtt.min().unwrap_or(Span::ZERO),
            rto: self.timers.rto,
            backoff: self.timers.backoff,
            probes: self.timers.window_probes + self.timers.keep_alive_probes,
            snd_mss: self.mss,
            advmss: self.own_mss,
            rcv_mss: u32::try_from(self.acks.peer_mss).unwrap_or(u32::MAX),
            bytes_acked: self.una.min(self.written()).saturating_sub(1),
            bytes_received: self.receiver.received(),
            last_received: self.acks.last_received,
            reorderings: self.board.reorderings,
            reordering: self.board.reordering,
            options: (self.timestamps, self.sack, self.scaling),
            syn_data: self.syn_data_taken,
            peer_window: self.peer_window,
            pacing_rate: self.control.pacing_rate(),
        }
    }
}
