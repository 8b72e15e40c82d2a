//! Congestion control: how much may be in flight, behind one trait that built-in and users' controllers share.
//!
//! The connection detects losses, counts what is in flight and lets the window shrink gradually in recovery (PRR); a
//! controller says how the window grows and what a loss does to it, or takes the window over entirely as BBR does. As in Linux,
//! windows are counted in segments. Controllers keep integer state only.

mod bbr;
mod cubic;
mod dctcp;
mod reno;

pub use bbr::Bbr;
pub use cubic::Cubic;
pub use dctcp::Dctcp;
pub use reno::Reno;

use crate::base::{BitRate, Span, Time};
use std::fmt;
use std::rc::Rc;

/// The slow-start threshold before any loss.
pub const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

/// What a controller governs, in segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Segments that may be in flight.
    pub cwnd: u32,
    /// Below this, slow start.
    pub ssthresh: u32,
    /// The largest window that the send buffer or the peer lets the controller use.
    pub clamp: u32,
}

impl Window {
    /// Whether the window is below the slow-start threshold.
    #[must_use]
    pub const fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// Slow start (RFC 5681 3.1 with L unlimited, as Linux): one segment for each acknowledged, up to the threshold.
    /// Returns how many of the acknowledged segments are left over for congestion avoidance.
    pub fn slow_start(&mut self, acked: u32) -> u32 {
        let cwnd = self.cwnd.saturating_add(acked).min(self.ssthresh.max(self.cwnd));
        let used = cwnd - self.cwnd;
        self.cwnd = cwnd.min(self.clamp);
        acked - used
    }
}

/// The phase of loss recovery (Linux `tcp_ca_state`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Phase {
    /// Nothing suspicious.
    #[default]
    Open,
    /// Duplicate ACKs or SACKs have come.
    Disorder,
    /// The window is being reduced after ECN.
    Reducing,
    /// Fast recovery.
    Recovery,
    /// Recovery after a timeout.
    Loss,
}

/// Delivery rate over the last flight (Linux `rate_sample`; Cheng et al., draft-cheng-iccrg-delivery-rate-estimation).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RateSample {
    /// Segments delivered over the interval; 0 without a valid sample.
    pub delivered: u32,
    /// The interval; zero without a valid sample.
    pub interval: Span,
    /// Value of [`Ack::delivered`] when the newest segment acknowledged was sent: tells rounds apart.
    pub prior_delivered: u64,
    /// Whether the sender had too little data during the sample.
    pub app_limited: bool,
}

/// One acknowledgment, as a controller sees it. All counts are segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ack {
    /// Now.
    pub now: Time,
    /// Newly delivered by this ACK, cumulatively or by SACK.
    pub acked: u32,
    /// Newly marked lost on this ACK.
    pub lost: u32,
    /// Round-trip time measured on this ACK, unless only retransmitted segments were acknowledged.
    pub rtt: Option<Span>,
    /// Smoothed round-trip time.
    pub srtt: Span,
    /// Smallest round-trip time over the last five minutes or so.
    pub min_rtt: Span,
    /// All segments delivered so far.
    pub delivered: u64,
    /// In flight before this ACK.
    pub prior_in_flight: u32,
    /// In flight now.
    pub in_flight: u32,
    /// Acknowledged cumulatively so far, in bytes since the start (SND.UNA without wrap).
    pub una: u64,
    /// Sent so far, in bytes since the start (SND.NXT without wrap).
    pub next: u64,
    /// Segment size in bytes.
    pub mss: u32,
    /// Whether the window, not the application or the receiver, has held sending back (Linux `tcp_is_cwnd_limited`).
    pub cwnd_limited: bool,
    /// Phase of loss recovery after this ACK.
    pub phase: Phase,
    /// Delivery rate.
    pub rate: RateSample,
}

/// What an ACK on a connection with ECN tells. Counts are segments since the start, offsets bytes since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EcnSample {
    /// All segments delivered so far.
    pub delivered: u64,
    /// Of those, delivered by ACKs that carried ECE.
    pub marked: u64,
    /// Acknowledged cumulatively so far (SND.UNA without wrap).
    pub una: u64,
    /// Sent so far (SND.NXT without wrap).
    pub next: u64,
}

/// A congestion controller.
///
/// Order of calls: [`Control::init`] when the connection is established; then for each ACK [`Control::on_sample`] (if the ACK
/// measured a round-trip time), and [`Control::on_ack`] or, for those with [`Control::owns_window`], [`Control::update`].
pub trait Control: fmt::Debug {
    /// Its name: `reno`, `cubic`, `bbr`.
    fn name(&self) -> &'static str;

    /// Chance for this connection, from a named stream; called once, before [`Control::init`].
    fn seed(&mut self, seed: u64) {
        let _ = seed;
    }

    /// The connection is established; `srtt` is zero if the handshake gave no sample.
    fn init(&mut self, window: &mut Window, now: Time, srtt: Span, mss: u32) {
        let _ = (window, now, srtt, mss);
    }

    /// Growth: called for ACKs outside of window reduction when something new was delivered, and only while
    /// [`Ack::cwnd_limited`] is for the controller to check.
    fn on_ack(&mut self, window: &mut Window, ack: &Ack);

    /// A round-trip sample has come (before [`Control::on_ack`] for the same ACK): where delay-based exits from slow start look.
    fn on_sample(&mut self, window: &mut Window, ack: &Ack) {
        let _ = (window, ack);
    }

    /// Whether the controller sets the window itself in every phase, instead of growing it by `on_ack` and letting the connection
    /// shrink it.
    fn owns_window(&self) -> bool {
        false
    }

    /// Every ACK, for controllers that own the window.
    fn update(&mut self, window: &mut Window, ack: &Ack) {
        let _ = (window, ack);
    }

    /// Whether the controller counts marks: then ECN is asked for, every packet may be marked, and receivers echo each mark.
    fn needs_ecn(&self) -> bool {
        false
    }

    /// Every ACK on a connection whose ends have agreed to ECN, before the window is grown or reduced by it.
    fn on_ecn(&mut self, window: &mut Window, ecn: &EcnSample) {
        let _ = (window, ecn);
    }

    /// A loss or ECN mark begins a reduction: the new slow-start threshold, at least 2.
    fn ssthresh(&mut self, window: &Window) -> u32;

    /// The reduction was a mistake: the window to go back to. `prior` is the window before the reduction.
    fn undo(&mut self, window: &Window, prior: u32) -> u32 {
        window.cwnd.max(prior)
    }

    /// The phase changed; timeouts arrive as [`Phase::Loss`].
    fn on_phase(&mut self, window: &mut Window, phase: Phase, now: Time) {
        let _ = (window, phase, now);
    }

    /// Transmission starts again after nothing was in flight. `idle_since` is when the last data was sent.
    fn on_restart(&mut self, window: &mut Window, now: Time, idle_since: Time) {
        let _ = (window, now, idle_since);
    }

    /// Whether the controller itself holds sending back at the moment, so that delivery-rate samples of what is in flight after
    /// this ACK are to count as [`RateSample::app_limited`]. Asked after [`Control::update`].
    fn limits_samples(&self) -> bool {
        false
    }

    /// The rate at which segments should leave, if they should be paced.
    fn pacing_rate(&self) -> Option<BitRate> {
        None
    }
}

/// A maker of a user's controllers.
pub type Factory = Rc<dyn Fn() -> Box<dyn Control>>;

/// Which controller.
#[derive(Clone)]
pub enum Algorithm {
    /// RFC 5681 with RFC 6582's successor, SACK-based recovery.
    Reno,
    /// RFC 9438 with `HyStart`, as Linux.
    Cubic,
    /// BBR version 1, as Linux.
    Bbr,
    /// RFC 8257, as Linux.
    Dctcp,
    /// A user's own.
    Custom(Factory),
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reno => "reno",
            Self::Cubic => "cubic",
            Self::Bbr => "bbr",
            Self::Dctcp => "dctcp",
            Self::Custom(_) => "custom",
        })
    }
}

/// Every built-in controller: name, a line about it, and the value.
pub const TABLE: &[(&str, &str, Algorithm)] = &[
    ("reno", "additive increase, halving on loss (RFC 5681); unpaced", Algorithm::Reno),
    ("cubic", "cubic growth around the last maximum (RFC 9438), HyStart; unpaced", Algorithm::Cubic),
    ("bbr", "the measured bandwidth and delay, not losses (BBR version 1); paced", Algorithm::Bbr),
    ("dctcp", "cuts in proportion to the share of marked segments (RFC 8257); asks for ECN; unpaced", Algorithm::Dctcp),
];

impl Algorithm {
    /// The built-in controller with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|entry| entry.0 == name).map(|entry| entry.2.clone())
    }

    /// A controller for a new connection.
    #[must_use]
    pub fn build(&self) -> Controller {
        match self {
            Self::Reno => Controller::Reno(Reno::default()),
            Self::Cubic => Controller::Cubic(Cubic::default()),
            Self::Bbr => Controller::Bbr(Box::default()),
            Self::Dctcp => Controller::Dctcp(Dctcp::default()),
            Self::Custom(factory) => Controller::Custom(factory()),
        }
    }
}

/// The controller of one connection: an enum, so that built-in ones are called directly.
#[derive(Debug)]
pub enum Controller {
    /// Reno.
    Reno(Reno),
    /// CUBIC.
    Cubic(Cubic),
    /// BBR.
    Bbr(Box<Bbr>),
    /// DCTCP.
    Dctcp(Dctcp),
    /// A user's own.
    Custom(Box<dyn Control>),
}

impl Controller {
    /// Whether [`Control::pacing_rate`] may ever name one.
    #[must_use]
    pub const fn may_pace(&self) -> bool {
        matches!(self, Self::Bbr(_) | Self::Custom(_))
    }

    /// [`Control::pacing_rate`], asked for with every segment.
    #[must_use]
    #[inline]
    pub fn pacing_rate(&self) -> Option<BitRate> {
        match self {
            Self::Reno(reno) => reno.pacing_rate(),
            Self::Cubic(cubic) => cubic.pacing_rate(),
            Self::Bbr(bbr) => bbr.pacing_rate(),
            Self::Dctcp(dctcp) => dctcp.pacing_rate(),
            Self::Custom(custom) => custom.pacing_rate(),
        }
    }

    /// The controller behind the variant.
    #[inline]
    pub fn get(&mut self) -> &mut dyn Control {
        match self {
            Self::Reno(reno) => reno,
            Self::Cubic(cubic) => cubic,
            Self::Bbr(bbr) => &mut **bbr,
            Self::Dctcp(dctcp) => dctcp,
            Self::Custom(custom) => &mut **custom,
        }
    }
}
