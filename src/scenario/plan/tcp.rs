//! A node's TCP in a plan.

use crate::base::Span;
use crate::transport::tcp::EcnMode;

/// A named set of TCP constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Profile {
    /// As a Linux 6.x kernel.
    #[default]
    Linux,
    /// As the RFCs.
    Rfc,
}

/// TCP settings of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, as in TCP's options")]
pub struct Tcp {
    /// Which constants.
    pub profile: Profile,
    /// Name of the congestion controller.
    pub congestion: &'static str,
    /// Largest IP packet in bytes: the smallest MTU of the node's links unless the scenario says another.
    pub mtu: u32,
    /// Nagle's algorithm.
    pub nagle: bool,
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// SACK (RFC 2018).
    pub sack: bool,
    /// Window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Tail loss probes (RFC 8985 7).
    pub tail_loss_probe: bool,
    /// Losses found by time (RFC 8985).
    pub rack: bool,
    /// Largest receive window in bytes.
    pub receive_buffer: u64,
    /// Bytes that the send buffer holds.
    pub send_buffer: u64,
    /// Whether the window starts again after idling; `None`: as the profile says.
    pub restart_after_idle: Option<bool>,
    /// Explicit congestion notification.
    pub ecn: EcnMode,
    /// Whether segments are paced also where the controller does not ask for it.
    pub pacing: bool,
    /// Give up when sent data stays unacknowledged for so long.
    pub user_timeout: Option<Span>,
    /// Whether connections are opened and accepted with data in the SYN (RFC 7413).
    pub fast_open: bool,
    /// Probe an idle connection after so long, then so often, and give up after so many without an answer.
    pub keep_alive: Option<(Span, Span, u32)>,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            profile: Profile::Linux,
            congestion: "cubic",
            mtu: 1500,
            nagle: true,
            timestamps: true,
            sack: true,
            window_scaling: true,
            tail_loss_probe: true,
            rack: true,
            receive_buffer: 64 << 20,
            send_buffer: 16 << 20,
            restart_after_idle: None,
            ecn: EcnMode::Passive,
            pacing: false,
            user_timeout: None,
            fast_open: false,
            keep_alive: None,
        }
    }
}
