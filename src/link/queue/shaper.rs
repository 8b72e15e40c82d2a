//! A token-bucket shaper: what exceeds rate and burst waits in a queue of any discipline until there are tokens for it.

use super::bucket::Bucket;
use super::packet::{Gone, Waiting};
use super::scheduler::{Place, Scheduler};
use crate::base::{BitRate, Time};

/// Parameters of a shaper.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Bits per second in the long run.
    pub rate: BitRate,
    /// Bytes that may leave at the rate of the line after a pause. At least a packet of the link's MTU, or such packets never
    /// leave.
    pub burst: u64,
    /// Where packets wait.
    pub queue: Box<super::Config>,
}

/// The bucket, the queue, and the packet that is next (as in Linux's `tbf`, it has left the queue and waits for tokens).
#[derive(Debug)]
pub(in crate::link) struct Shaper<P> {
    bucket: Bucket,
    queue: Scheduler<P>,
    next: Option<Waiting<P>>,
}

impl<P: Copy> Shaper<P> {
    pub(super) fn new(config: &Config, place: &mut Place<'_>) -> Self {
        // To the queue inside, the line is as fast as the tokens come.
        let mut place = Place { rate: config.rate.min(place.rate), ..place.reborrow() };
        let queue = Scheduler::new(&config.queue, &mut place);
        Self { bucket: Bucket::new(config.rate, config.burst), queue, next: None }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.queue.bytes() + self.next.map_or(0, |next| u64::from(next.label.size))
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len() + usize::from(self.next.is_some())
    }

    pub(super) fn enqueue(&mut self, packet: Waiting<P>, gone: &mut Gone<P>) {
        self.queue.enqueue(packet, gone);
    }

    pub(super) fn dequeue(&mut self, now: Time, gone: &mut Gone<P>) -> Option<Waiting<P>> {
        let next = match self.next.take() {
            Some(next) => next,
            None => self.queue.dequeue(now, gone)?,
        };
        if self.bucket.take(next.label.size, now) {
            return Some(next);
        }
        self.next = Some(next);
        None
    }

    pub(super) fn ready(&self, now: Time) -> Option<Time> {
        match &self.next {
            Some(next) => Some(self.bucket.ready(next.label.size, now)),
            None => self.queue.ready(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Label;
    use super::super::{Config as Any, Limit};
    use super::*;
    use crate::base::Span;

    #[test]
    fn a_backlog_leaves_as_one_burst_and_then_exactly_at_the_rate() {
        // 8 Mb/s are a byte a microsecond; 100 packets of 1,000 bytes against 5,000 bytes of burst.
        let config = Config {
            rate: BitRate::from_bps(8_000_000).unwrap(),
            burst: 5_000,
            queue: Box::new(Any::DropTail(Limit::Packets(1_000))),
        };
        let (mut shaper, mut gone) = (Shaper::new(&config, &mut Place::bare()), Vec::new());
        let label = Label { size: 1_000, ..Label::default() };
        (0..100).for_each(|n| shaper.enqueue(Waiting::new(n, label, Time::ZERO), &mut gone));
        let mut now = Time::ZERO;
        let mut left = Vec::new();
        while shaper.len() > 0 {
            if let Some(packet) = shaper.dequeue(now, &mut gone) {
                left.push((packet.packet, now.as_nanos()));
            } else {
                now = shaper.ready(now).unwrap();
            }
        }
        let expected: Vec<_> = (0..100u64).map(|n| (n, n.saturating_sub(4) * 1_000_000)).collect();
        assert_eq!(left, expected);
        assert_eq!((now, gone.len()), (Time::ZERO + Span::from_millis(95), 0));
    }
}
