//! The words of the scoreboard: a segment that has been sent, and what an ACK tells about such segments.

use crate::base::{Span, Time};

/// Marks of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(in crate::transport::tcp) struct Marks(pub(in crate::transport::tcp) u8);

impl Marks {
    /// Selectively acknowledged.
    pub(in crate::transport::tcp) const SACKED: u8 = 1;
    /// Considered lost.
    pub(in crate::transport::tcp) const LOST: u8 = 2;
    /// Retransmitted, and the retransmission is thought to be in flight.
    pub(in crate::transport::tcp) const RETRANSMITTED: u8 = 4;
    /// Retransmitted at some time.
    pub(in crate::transport::tcp) const EVER: u8 = 8;
    /// Carries FIN.
    pub(in crate::transport::tcp) const FIN: u8 = 16;
    /// Carries SYN.
    pub(in crate::transport::tcp) const SYN: u8 = 32;
    /// Sent while the application had no more.
    pub(in crate::transport::tcp) const APP_LIMITED: u8 = 64;
    /// Its delivery has been counted for the rate.
    pub(in crate::transport::tcp) const RATED: u8 = 128;

    #[inline]
    pub(in crate::transport::tcp) const fn any(self, marks: u8) -> bool {
        self.0 & marks != 0
    }

    #[inline]
    pub(in crate::transport::tcp) const fn set(&mut self, marks: u8) {
        self.0 |= marks;
    }

    #[inline]
    pub(in crate::transport::tcp) const fn clear(&mut self, marks: u8) {
        self.0 &= !marks;
    }
}

/// One segment that has been sent.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "first and last sent are what the field calls them")]
pub(in crate::transport::tcp) struct Sent {
    /// First offset.
    pub(in crate::transport::tcp) start: u64,
    /// Offset after the last, SYN and FIN counted.
    pub(in crate::transport::tcp) end: u64,
    /// First transmission.
    pub(in crate::transport::tcp) first_sent: Time,
    /// Last transmission.
    pub(in crate::transport::tcp) sent: Time,
    /// [`Scoreboard::delivered`] at the last transmission.
    pub(in crate::transport::tcp) delivered: u64,
    /// When that count was reached.
    pub(in crate::transport::tcp) delivered_at: Time,
    /// Start of the sending phase of the rate sample that this segment will give.
    pub(in crate::transport::tcp) phase_start: Time,
    pub(in crate::transport::tcp) marks: Marks,
}

/// What an ACK has told the sender, in flags as the rest of the machine needs them.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::transport::tcp) struct News {
    /// SND.UNA advanced.
    pub(in crate::transport::tcp) advanced: bool,
    /// Data (not only SYN) was acknowledged cumulatively.
    pub(in crate::transport::tcp) data_acked: bool,
    /// SYN was acknowledged.
    pub(in crate::transport::tcp) syn_acked: bool,
    /// Something was newly SACKed.
    pub(in crate::transport::tcp) sacked: bool,
    /// A D-SACK came.
    pub(in crate::transport::tcp) dsack: bool,
    /// It was about the tail loss probe.
    pub(in crate::transport::tcp) dsack_of_probe: bool,
    /// Data sent before the current recovery and never retransmitted was acknowledged, cumulatively or selectively.
    pub(in crate::transport::tcp) original_acked: bool,
    /// A retransmitted segment was acknowledged cumulatively.
    pub(in crate::transport::tcp) retransmission_acked: bool,
    /// A retransmission was found lost.
    pub(in crate::transport::tcp) retransmission_lost: bool,
    /// The head of the queue is SACKed: the receiver has taken back what it SACKed.
    pub(in crate::transport::tcp) reneged: bool,
    /// The retransmission timer is to be set anew.
    pub(in crate::transport::tcp) rearm: bool,
    /// Segments newly delivered, cumulatively or selectively.
    pub(in crate::transport::tcp) delivered: u32,
    /// Segments newly marked lost.
    pub(in crate::transport::tcp) lost: u32,
    /// Round-trip time of the first and of the last segment acknowledged cumulatively and never retransmitted.
    pub(in crate::transport::tcp) first_acked: Option<Time>,
    pub(in crate::transport::tcp) last_acked: Option<Time>,
    /// When the first and last newly SACKed, never retransmitted segments had been sent.
    pub(in crate::transport::tcp) first_sacked: Option<Time>,
    pub(in crate::transport::tcp) last_sacked: Option<Time>,
}

/// The delivery-rate sample under construction (Linux `rate_sample`).
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::transport::tcp) struct Rating {
    pub(in crate::transport::tcp) prior_delivered: u64,
    pub(in crate::transport::tcp) prior_at: Option<Time>,
    pub(in crate::transport::tcp) send_interval: Span,
    pub(in crate::transport::tcp) app_limited: bool,
    pub(in crate::transport::tcp) newest: (Time, u64),
}

/// What an ACK comes to that acknowledges whole segments which were sent once and never reported before.
#[derive(Clone, Copy, Debug)]
pub(in crate::transport::tcp) struct Plain {
    /// Segments.
    pub(in crate::transport::tcp) count: u32,
    /// When the first and the last of them were sent.
    pub(in crate::transport::tcp) first_sent: Time,
    pub(in crate::transport::tcp) last_sent: Time,
    /// The delivery-rate sample, as in [`Rating`].
    pub(in crate::transport::tcp) prior_delivered: u64,
    pub(in crate::transport::tcp) prior_at: Time,
    pub(in crate::transport::tcp) send_interval: Span,
    pub(in crate::transport::tcp) app_limited: bool,
}
