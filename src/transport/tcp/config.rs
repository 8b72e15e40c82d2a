//! What may differ between TCPs: the constants of two named profiles, and the settings of a host.

use super::ecn::EcnMode;
use crate::base::Span;
use crate::transport::congestion::Algorithm;
use crate::transport::rtt::Rule;

/// A named set of constants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Profile {
    /// As a Linux 6.x kernel with default settings behaves.
    #[default]
    Linux,
    /// As the RFCs say.
    Rfc,
}

/// The constants of a profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Constants {
    /// How the retransmission timeout is computed.
    pub rto: Rule,
    /// Initial window in segments (RFC 6928; Linux `TCP_INIT_CWND`).
    pub initial_window: u32,
    /// Shortest delayed ACK; both the first value and the floor of the adaptive one (Linux `TCP_DELACK_MIN`, `TCP_ATO_MIN`).
    pub delayed_ack_min: Span,
    /// Longest delayed ACK (Linux `TCP_DELACK_MAX`; RFC 1122 4.2.3.2: less than 0.5 s).
    pub delayed_ack_max: Span,
    /// Segments acknowledged at once at the start of a connection and after idling (Linux `TCP_MAX_QUICKACKS`), and as long as the
    /// offered window grows; 0 turns it off.
    pub quick_acks: u32,
    /// SYN retransmissions at the initial timeout before it doubles (Linux `tcp_syn_linear_timeouts`, since 6.5).
    pub syn_linear: u32,
    /// SYN retransmissions in all (Linux: `tcp_syn_retries` 6 and the linear ones).
    pub syn_retries: u32,
    /// SYN-ACK retransmissions (Linux `tcp_synack_retries`).
    pub syn_ack_retries: u32,
    /// After so many doublings of the smallest timeout the connection is given up (Linux `tcp_retries2`; RFC 9293 3.8.3 R2).
    pub retries: u32,
    /// The same once no program holds the connection (Linux `tcp_orphan_retries`, 8 when it is 0).
    pub orphan_retries: u32,
    /// How long TIME-WAIT lasts (Linux `TCP_TIMEWAIT_LEN` 60 s; RFC 9293: 2 MSL).
    pub time_wait: Span,
    /// How long FIN-WAIT-2 lasts for a connection that no program holds (Linux `tcp_fin_timeout`).
    pub fin_wait: Span,
    /// Added to two round trips for a tail loss probe with more than one segment out (Linux `TCP_TIMEOUT_MIN_US`).
    pub probe_slack: Span,
    /// Added to two round trips for a tail loss probe of a single segment, for its delayed ACK (Linux: the RTO floor; RFC 8985
    /// 7.2: `TLP.max_ack_delay`).
    pub probe_single_slack: Span,
    /// The first receive window in bytes (Linux: what 64 KiB hold in whole segments).
    pub first_receive_window: u32,
    /// The send buffer begins with room for two windows of so many segments and grows with the window (Linux `tcp_sndbuf_expand`);
    /// `None`: it has its full size from the start.
    pub first_send_window: Option<u32>,
    /// Whether the window starts again after idling for longer than a timeout (RFC 5681 4.1).
    pub restart_after_idle: bool,
    /// Whether sender-side F-RTO is done (RFC 5682).
    pub f_rto: bool,
    /// Whether timers expire on a kernel's ticks, the later the longer they run; otherwise exactly.
    pub ticks: bool,
}

impl Profile {
    /// The profile's constants.
    #[must_use]
    pub const fn constants(self) -> Constants {
        match self {
            Self::Linux => Constants {
                rto: Rule {
                    floor_on_variance: true,
                    floor: Span::from_millis(200),
                    ceiling: Span::from_secs(120),
                    initial: Span::from_secs(1),
                },
                initial_window: 10,
                delayed_ack_min: Span::from_millis(40),
                delayed_ack_max: Span::from_millis(200),
                quick_acks: 16,
                syn_linear: 4,
                syn_retries: 10,
                syn_ack_retries: 5,
                retries: 15,
                orphan_retries: 8,
                time_wait: Span::from_secs(60),
                fin_wait: Span::from_secs(60),
                probe_slack: Span::from_millis(2),
                probe_single_slack: Span::from_millis(200),
                first_receive_window: 65_535,
                first_send_window: Some(10),
                restart_after_idle: true,
                f_rto: true,
                ticks: true,
            },
            Self::Rfc => Constants {
                // RFC 6298 2.1, 2.4, 2.5.
                rto: Rule {
                    floor_on_variance: false,
                    floor: Span::from_secs(1),
                    ceiling: Span::from_secs(60),
                    initial: Span::from_secs(1),
                },
                initial_window: 10,
                // RFC 1122 4.2.3.2 allows up to 0.5 s; 200 ms is what most stacks took.
                delayed_ack_min: Span::from_millis(200),
                delayed_ack_max: Span::from_millis(200),
                quick_acks: 0,
                syn_linear: 0,
                // RFC 1122 4.2.3.5: at least 3 minutes for SYN, 100 s for data.
                syn_retries: 7,
                syn_ack_retries: 7,
                retries: 7,
                orphan_retries: 7,
                // RFC 9293 3.4.2: MSL two minutes.
                time_wait: Span::from_secs(240),
                fin_wait: Span::from_secs(240),
                probe_slack: Span::ZERO,
                probe_single_slack: Span::from_millis(200),
                first_receive_window: 65_535,
                first_send_window: None,
                restart_after_idle: true,
                f_rto: true,
                ticks: false,
            },
        }
    }
}

/// TCP settings of a host or a socket.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which constants.
    pub profile: Profile,
    /// Which congestion controller.
    pub congestion: Algorithm,
    /// MTU of the host's interface in bytes: 40 more than the largest segment without options.
    pub mtu: u32,
    /// Nagle's algorithm (RFC 896, with Minshall's change).
    pub nagle: bool,
    /// Whether to offer and accept timestamps (RFC 7323).
    pub timestamps: bool,
    /// Whether to offer and accept SACK (RFC 2018).
    pub sack: bool,
    /// Whether to offer and accept window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Whether tail loss probes are sent (RFC 8985 7).
    pub tail_loss_probe: bool,
    /// Whether losses are found by time (RFC 8985); otherwise by counting duplicates (RFC 6675).
    pub rack: bool,
    /// Memory of the receive buffer before it grows, in bytes; half of it is taken to hold data (Linux `tcp_rmem[1]`).
    pub first_receive_buffer: u64,
    /// Largest window that the receive buffer grows to, in bytes.
    pub receive_buffer: u64,
    /// Memory that the send buffer takes at most, in bytes (Linux `tcp_wmem[2]`).
    pub send_buffer: u64,
    /// Memory that it takes at least from the start, in bytes (Linux `tcp_wmem[1]`).
    pub first_send_buffer: u64,
    /// Segments that leave together at least (Linux `tcp_min_tso_segs`).
    pub least_burst: u32,
    /// Whether the window starts again after idling; `None`: as the profile says.
    pub restart_after_idle: Option<bool>,
    /// Whether timers expire on a kernel's ticks; `None`: as the profile says.
    pub ticks: Option<bool>,
    /// Whether segments are paced also where the controller does not ask for it (Linux with the `fq` queue): at twice the window a
    /// round trip in slow start, 1.2 times after (`tcp_pacing_ss_ratio`, `tcp_pacing_ca_ratio`).
    pub pacing: bool,
    /// Explicit congestion notification (RFC 3168).
    pub ecn: EcnMode,
    /// Give up when sent data stays unacknowledged for so long (RFC 5482; `TCP_USER_TIMEOUT`).
    pub user_timeout: Option<Span>,
    /// Whether connections are opened, and accepted, with data in the SYN (RFC 7413; Linux `tcp_fastopen` 3 and the socket
    /// options that use it).
    pub fast_open: bool,
    /// Probe an idle connection after so long, so often, and give up after so many (RFC 9293 3.8.4).
    pub keep_alive: Option<(Span, Span, u32)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::Linux,
            congestion: Algorithm::by_name("cubic").unwrap_or(Algorithm::Reno),
            mtu: 1500,
            nagle: true,
            timestamps: true,
            sack: true,
            window_scaling: true,
            tail_loss_probe: true,
            rack: true,
            first_receive_buffer: 128 << 10,
            receive_buffer: 64 << 20,
            send_buffer: 16 << 20,
            first_send_buffer: 16 << 10,
            least_burst: 2,
            restart_after_idle: None,
            ticks: None,
            pacing: false,
            ecn: EcnMode::Passive,
            user_timeout: None,
            fast_open: false,
            keep_alive: None,
        }
    }
}

impl Config {
    /// The largest segment that the interface carries, in bytes without options.
    #[must_use]
    pub const fn mss(&self) -> u32 {
        self.mtu - 40
    }

    /// The window scale to offer: enough for the largest receive buffer (RFC 7323 2.3: at most 14).
    #[must_use]
    pub fn window_scale(&self) -> u8 {
        let mut scale = 0;
        while scale < 14 && self.receive_buffer >> scale > 65_535 {
            scale += 1;
        }
        scale
    }
}
