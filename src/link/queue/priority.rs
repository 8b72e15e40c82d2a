//! Strict priority: bands by DSCP; a band is served only while all bands above it are empty.

use super::packet::{Gone, Waiting};
use super::scheduler::{Place, Scheduler};
use crate::base::Time;
use crate::wire::Dscp;

/// Parameters of strict priority.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The code points (RFC 2474) of each band, the most urgent band first. One more band, the last, takes all others.
    pub bands: Vec<Vec<Dscp>>,
    /// What each band is.
    pub each: Box<super::Config>,
}

/// Bands in the order of service.
#[derive(Debug)]
pub(in crate::link) struct Priority<P> {
    /// The band of each code point.
    band_of: [u8; 64],
    bands: Vec<Scheduler<P>>,
}

impl<P: Copy> Priority<P> {
    /// # Panics
    /// With more than 64 bands: there are no more code points.
    pub(super) fn new(config: &Config, place: &mut Place<'_>) -> Self {
        let band = |index: usize| u8::try_from(index).expect("no more bands than code points");
        let mut band_of = [band(config.bands.len()); 64];
        for (index, points) in config.bands.iter().enumerate() {
            for point in points {
                band_of[usize::from(point.get())] = band(index);
            }
        }
        let bands = (0..=config.bands.len()).map(|_| Scheduler::new(&config.each, place)).collect();
        Self { band_of, bands }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bands.iter().map(Scheduler::bytes).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.bands.iter().map(Scheduler::len).sum()
    }

    pub(super) fn enqueue(&mut self, packet: Waiting<P>, gone: &mut Gone<P>) {
        let band = self.band_of[usize::from(packet.label.dscp.get())];
        self.bands[usize::from(band)].enqueue(packet, gone);
    }

    pub(super) fn dequeue(&mut self, now: Time, gone: &mut Gone<P>) -> Option<Waiting<P>> {
        self.bands.iter_mut().find_map(|band| band.dequeue(now, gone))
    }

    pub(super) fn ready(&self, now: Time) -> Option<Time> {
        self.bands.iter().filter_map(|band| band.ready(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Label;
    use super::super::{Config as Any, Limit};
    use super::*;
    use crate::base::Rng;
    use crate::trace::Cause;

    const EF: &str = "EF";
    const AF41: &str = "AF41";

    fn priority(limit: Limit) -> Priority<u32> {
        let point = |name| Dscp::by_name(name).unwrap();
        let bands = vec![vec![point(EF)], vec![point(AF41), point("AF42")]];
        let config = Config { bands, each: Box::new(Any::DropTail(limit)) };
        Priority::new(&config, &mut Place::bare())
    }

    fn packet(number: u32, dscp: &str) -> Waiting<u32> {
        let dscp = Dscp::by_name(dscp).unwrap();
        Waiting::new(number, Label { size: 100, dscp, ..Label::default() }, Time::ZERO)
    }

    #[test]
    fn whatever_is_urgent_leaves_before_anything_that_is_less_so() {
        let (mut queue, mut gone) = (priority(Limit::Packets(10_000)), Vec::new());
        let mut rng = Rng::stream(4, "test/priority");
        let mut waiting = [0u32; 3];
        for number in 0..5_000 {
            let band = usize::try_from(rng.below(3)).unwrap();
            queue.enqueue(packet(number, [EF, AF41, "CS0"][band]), &mut gone);
            waiting[band] += 1;
            if rng.chance(0.8) {
                let out = queue.dequeue(Time::ZERO, &mut gone).unwrap();
                let band =
                    [EF, AF41, "CS0"].iter().position(|&name| Dscp::by_name(name) == Some(out.label.dscp)).unwrap();
                assert!(waiting[..band].iter().all(|&more_urgent| more_urgent == 0));
                waiting[band] -= 1;
            }
        }
        assert_eq!(queue.len(), waiting.iter().sum::<u32>() as usize);
    }

    #[test]
    fn a_full_band_takes_no_room_from_the_others() {
        let (mut queue, mut gone) = (priority(Limit::Packets(3)), Vec::new());
        (0..5).for_each(|number| queue.enqueue(packet(number, "CS0"), &mut gone));
        queue.enqueue(packet(9, EF), &mut gone);
        assert_eq!(
            gone.iter().map(|(packet, cause)| (packet.packet, *cause)).collect::<Vec<_>>(),
            [(3, Cause::QueueFull), (4, Cause::QueueFull)]
        );
        assert_eq!(queue.dequeue(Time::ZERO, &mut gone).unwrap().packet, 9);
        assert_eq!((queue.len(), queue.bytes()), (3, 300));
    }
}
