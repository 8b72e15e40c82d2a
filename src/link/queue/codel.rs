//! CoDel (RFC 8289): drops or marks at the head when packets have waited longer than the target for a whole interval.
//!
//! The structure is that of the RFC's pseudocode with Linux's two additions: marks instead of drops, and a CE threshold.

use super::fifo::Fifo;
use super::packet::{Gone, Waiting};
use super::{Gate, Limit};
use crate::base::{Span, Time};
use crate::trace::Cause;

/// Parameters of CoDel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// The wait that is fine even when it never ends (RFC 8289 4.3: 5 ms).
    pub target: Span,
    /// How long waits above the target are tolerated: about a round trip of the slowest flows (RFC 8289 4.3: 100 ms).
    pub interval: Span,
    /// Whether packets of transports with ECN are marked instead of dropped.
    pub ecn: bool,
    /// Waits above this mark at once (Linux `ce_threshold`), for transports such as DCTCP.
    pub ce_threshold: Option<Span>,
    /// What waits at most, the packet in service not included.
    pub limit: Limit,
}

impl Default for Config {
    /// Linux's defaults (`sch_codel`).
    fn default() -> Self {
        Self {
            target: Span::from_millis(5),
            interval: Span::from_millis(100),
            ecn: false,
            ce_threshold: None,
            limit: Limit::Packets(1_000),
        }
    }
}

/// When the next signal is due after one at `at`, the `count`th of this episode: `interval / sqrt(count)` later (RFC 8289 5.4),
/// rounded down to a nanosecond.
fn control_law(at: Time, interval: Span, count: u32) -> Time {
    let interval = u128::from(interval.as_nanos());
    let wait = (interval * interval / u128::from(count.max(1))).isqrt();
    at + Span::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
}

/// The state of the control loop over one queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Control {
    /// When the wait will have been above target for an interval.
    first_above: Option<Time>,
    /// Whether signals are being sent, and when the next is due.
    signalling: bool,
    next: Time,
    /// Signals in this episode, and how many there were when it began.
    count: u32,
    last_count: u32,
}

/// What the control loop reads of a queue: `backlog` is what remains in the queue, in bytes, after a packet has left it.
pub(super) trait Source<P> {
    fn pop(&mut self, now: Time) -> Option<Waiting<P>>;
    fn backlog(&self) -> u64;
}

impl<P: Copy> Source<P> for Fifo<P> {
    fn pop(&mut self, now: Time) -> Option<Waiting<P>> {
        self.dequeue(now)
    }

    fn backlog(&self) -> u64 {
        self.bytes()
    }
}

impl Control {
    /// Takes out the next packet; says whether CoDel may signal by it (RFC 8289 5.5, `dodequeue`).
    fn pop<P>(
        &mut self,
        config: &Config,
        mtu: u32,
        queue: &mut impl Source<P>,
        now: Time,
    ) -> (Option<Waiting<P>>, bool) {
        let Some(packet) = queue.pop(now) else {
            self.first_above = None;
            return (None, false);
        };
        // A wait below target, or too little left to keep the line busy: no standing queue.
        if now.since(packet.since) < config.target || queue.backlog() <= u64::from(mtu) {
            self.first_above = None;
            return (Some(packet), false);
        }
        match self.first_above {
            None => {
                self.first_above = Some(now + config.interval);
                (Some(packet), false)
            }
            Some(due) => (Some(packet), now >= due),
        }
    }

    /// Lets the next packet out, after those that are dropped (RFC 8289 5.5, `dequeue`).
    pub(super) fn dequeue<P: Copy>(
        &mut self,
        config: &Config,
        mtu: u32,
        queue: &mut impl Source<P>,
        now: Time,
        gone: &mut Gone<P>,
    ) -> Option<Waiting<P>> {
        let (mut packet, mut ok) = self.pop(config, mtu, queue, now);
        if packet.is_none() {
            self.signalling = false;
            return None;
        }
        if self.signalling {
            if !ok {
                self.signalling = false;
            }
            while self.signalling && now >= self.next {
                self.count = self.count.saturating_add(1);
                if Self::signal(config, &mut packet, gone) {
                    self.next = control_law(self.next, config.interval, self.count);
                    break;
                }
                (packet, ok) = self.pop(config, mtu, queue, now);
                if ok {
                    self.next = control_law(self.next, config.interval, self.count);
                } else {
                    self.signalling = false;
                }
            }
        } else if ok {
            if !Self::signal(config, &mut packet, gone) {
                (packet, _) = self.pop(config, mtu, queue, now);
            }
            self.signalling = true;
            // Soon after an episode its rate is a good guess (RFC 8289 5.5).
            let delta = self.count.saturating_sub(self.last_count);
            let recent = now.since(self.next) < config.interval * 16;
            self.count = if delta > 1 && recent { delta } else { 1 };
            self.next = control_law(now, config.interval, self.count);
            self.last_count = self.count;
        }
        if let (Some(packet), Some(threshold)) = (&mut packet, config.ce_threshold)
            && now.since(packet.since) > threshold
        {
            packet.mark();
        }
        packet
    }

    /// Signals by this packet: true if a mark did it, otherwise the packet is gone.
    fn signal<P: Copy>(config: &Config, packet: &mut Option<Waiting<P>>, gone: &mut Gone<P>) -> bool {
        let Some(waiting) = packet else { return false };
        if config.ecn && waiting.mark() {
            return true;
        }
        gone.push((*waiting, Cause::EarlyDrop));
        *packet = None;
        false
    }
}

/// One queue under CoDel.
#[derive(Debug)]
pub(in crate::link) struct Codel<P> {
    config: Config,
    mtu: u32,
    control: Control,
    pub(super) queue: Fifo<P>,
}

impl<P: Copy> Codel<P> {
    pub(super) fn new(config: &Config, mtu: u32) -> Self {
        let queue = Fifo::new(config.limit, Gate::Open);
        Self { config: *config, mtu, control: Control::default(), queue }
    }

    pub(super) fn dequeue(&mut self, now: Time, gone: &mut Gone<P>) -> Option<Waiting<P>> {
        self.control.dequeue(&self.config, self.mtu, &mut self.queue, now, gone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Label;
    use super::*;
    use crate::wire::Ecn;

    fn at_us(us: u64) -> Time {
        Time::ZERO + Span::from_micros(us)
    }

    /// A line that takes a packet every `every` microseconds, and a sender that keeps `depth` packets in the queue: what was
    /// signalled when.
    fn standing_queue(config: &Config, ecn: Ecn, every: u64, depth: u64, packets: u64) -> (Vec<Time>, Vec<Time>) {
        let mut codel = Codel::new(config, 1_500);
        let (mut drops, mut marks, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let label = Label { size: 1_500, ecn, ..Label::default() };
        for n in 0..packets {
            let now = at_us(n * every);
            while (codel.queue.len() as u64) < depth {
                codel.queue.enqueue(Waiting::new(0, label, now), &mut gone);
            }
            let packet = codel.dequeue(now, &mut gone).unwrap();
            drops.extend(gone.drain(..).map(|_| now));
            marks.extend(packet.marked.then_some(now));
        }
        (drops, marks)
    }

    #[test]
    fn signals_come_at_interval_over_the_root_of_their_number() {
        // Packets every 100 us wait 10 ms: above target from the first that has, at 10 ms; signals from 110 ms on.
        let (drops, marks) = standing_queue(&Config::default(), Ecn::NotCapable, 100, 100, 10_000);
        assert!(marks.is_empty());
        assert!(drops[0] >= at_us(105_000) && drops[0] <= at_us(110_200), "{:?}", drops[0]);
        for (n, pair) in (1u32..).zip(drops.windows(2)).take(50) {
            let gap = (pair[1] - pair[0]).as_secs_f64();
            let law = 0.1 / libm::sqrt(f64::from(n));
            // A signal waits for the next departure.
            assert!((gap - law).abs() <= 100e-6 + 1e-9, "{n}: {gap} {law}");
        }
    }

    #[test]
    fn the_control_law_is_exact() {
        let law = |count| control_law(Time::ZERO, Span::from_millis(100), count).as_nanos();
        assert_eq!([law(1), law(4), law(16), law(100)], [100_000_000, 50_000_000, 25_000_000, 10_000_000]);
        assert_eq!(law(2), 70_710_678);
        assert_eq!(law(0), law(1));
    }

    #[test]
    fn a_wait_below_target_or_a_single_packet_left_is_never_signalled() {
        // 4.9 ms of standing queue: fine for ever. 5.1 ms: not.
        let (drops, _) = standing_queue(&Config::default(), Ecn::NotCapable, 100, 49, 10_000);
        assert!(drops.is_empty());
        let (drops, _) = standing_queue(&Config::default(), Ecn::NotCapable, 100, 52, 10_000);
        assert!(!drops.is_empty());
        // A slow line with one packet waiting behind the one that leaves: 12 ms each, and no standing queue.
        let (drops, _) = standing_queue(&Config::default(), Ecn::NotCapable, 12_000, 2, 1_000);
        assert!(drops.is_empty());
        let (drops, _) = standing_queue(&Config::default(), Ecn::NotCapable, 12_000, 3, 1_000);
        assert!(!drops.is_empty());
    }

    #[test]
    fn marks_take_the_place_of_drops_and_keep_the_same_schedule() {
        let config = Config { ecn: true, ..Config::default() };
        let (drops, marks) = standing_queue(&config, Ecn::Ect0, 100, 100, 5_000);
        assert!(drops.is_empty());
        let (expected, _) = standing_queue(&Config::default(), Ecn::NotCapable, 100, 100, 5_000);
        assert_eq!(marks.len(), expected.len());
        let (drops, marks) = standing_queue(&config, Ecn::NotCapable, 100, 100, 5_000);
        assert_eq!((drops.len(), marks.len()), (expected.len(), 0));
    }

    #[test]
    fn the_ce_threshold_marks_at_once() {
        let config = Config { ce_threshold: Some(Span::from_millis(1)), ..Config::default() };
        let (_, marks) = standing_queue(&config, Ecn::Ect0, 100, 20, 100);
        // The 12th packet is the first that has waited longer than 1 ms.
        assert_eq!(marks.first(), Some(&at_us(1_100)));
        assert_eq!(marks.len(), 89);
    }

    #[test]
    fn a_new_episode_soon_after_one_takes_up_its_rate() {
        let mut control = Control { count: 12, last_count: 2, next: at_us(1_000_000), ..Control::default() };
        control.first_above = Some(at_us(1_100_000));
        let (mut queue, mut gone) = (Fifo::new(Limit::Packets(100), Gate::Open), Vec::new());
        let label = Label { size: 1_500, ..Label::default() };
        for packet in 0..50 {
            queue.push(Waiting::new(packet, label, at_us(1_000_000)));
        }
        let mut later = control;
        control.dequeue(&Config::default(), 1_500, &mut queue, at_us(1_200_000), &mut gone);
        assert_eq!((control.count, gone.len()), (10, 1));
        // Sixteen intervals later what was learnt is stale.
        later.dequeue(&Config::default(), 1_500, &mut queue, at_us(2_600_000), &mut gone);
        assert_eq!(later.count, 1);
    }
}
