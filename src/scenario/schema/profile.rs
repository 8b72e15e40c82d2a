//! Access profiles: what the last mile of a user's connection adds, as data with sources.

use crate::base::{BitRate, Ratio, Span};
use crate::link::queue::{self, Limit};

/// The last mile of a host, seen from the host: down is towards it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Profile {
    /// Its name in `access:`.
    pub name: &'static str,
    /// Bits per second towards the host.
    pub down_bps: u64,
    /// Bits per second from the host.
    pub up_bps: u64,
    /// One-way delay towards the host, in microseconds.
    pub down_us: u64,
    /// One-way delay from the host, in microseconds.
    pub up_us: u64,
    /// Parts per thousand of the packets lost in each direction.
    pub loss_permille: u32,
    /// Where the figures come from.
    pub source: &'static str,
}

const fn symmetric(name: &'static str, down_kbps: u64, up_kbps: u64, rtt_ms: u64, source: &'static str) -> Profile {
    let half = rtt_ms * 500;
    Profile {
        name,
        down_bps: down_kbps * 1_000,
        up_bps: up_kbps * 1_000,
        down_us: half,
        up_us: half,
        loss_permille: 0,
        source,
    }
}

const fn conditioner(name: &'static str, kbps: [u64; 2], delay_ms: [u64; 2], loss_permille: u32) -> Profile {
    Profile {
        name,
        down_bps: kbps[0] * 1_000,
        up_bps: kbps[1] * 1_000,
        down_us: delay_ms[0] * 1_000,
        up_us: delay_ms[1] * 1_000,
        loss_permille,
        source: "Apple Network Link Conditioner",
    }
}

const WEB_PAGE_TEST: &str = "WebPageTest connectivity profiles";
const DEV_TOOLS: &str = "Chrome DevTools throttling targets";

/// Every profile, in the order of `lightlag list`.
pub const PROFILES: &[Profile] = &[
    symmetric("fiber", 20_000, 5_000, 4, "WebPageTest connectivity profiles (FiOS)"),
    symmetric("cable", 5_000, 1_000, 28, WEB_PAGE_TEST),
    symmetric("dsl", 1_500, 384, 50, WEB_PAGE_TEST),
    conditioner("wifi", [40_000, 33_000], [1, 1], 0),
    conditioner("lte", [50_000, 10_000], [50, 65], 0),
    symmetric("4g-fast", 9_000, 1_500, 60, DEV_TOOLS),
    symmetric("4g-slow", 1_600, 750, 150, DEV_TOOLS),
    symmetric("3g", 1_600, 768, 300, WEB_PAGE_TEST),
    symmetric("3g-fast", 1_600, 768, 150, WEB_PAGE_TEST),
    symmetric("3g-slow", 780, 330, 200, WEB_PAGE_TEST),
    symmetric("edge", 240, 200, 840, WEB_PAGE_TEST),
    symmetric("dialup", 49, 30, 120, WEB_PAGE_TEST),
    // Up and down again: 2 x 35,786 km in vacuum are 239 ms one way.
    symmetric("satellite", 25_000, 3_000, 478, "geostationary orbit; rates of the FCC's broadband definition of 2015"),
    conditioner("very-bad", [1_000, 1_000], [500, 500], 100),
];

impl Profile {
    /// The rates towards the host and from it.
    pub(super) fn rates(&self) -> [BitRate; 2] {
        [self.down_bps, self.up_bps].map(|bps| BitRate::from_bps(bps).expect("the table holds positive rates"))
    }

    /// The one-way delays towards the host and from it.
    pub(super) const fn delays(&self) -> [Span; 2] {
        [Span::from_micros(self.down_us), Span::from_micros(self.up_us)]
    }

    /// The share lost in each direction.
    pub(super) fn loss(&self) -> Ratio {
        Ratio::new(f64::from(self.loss_permille) / 1_000.0).expect("the table holds shares")
    }
}

/// The queue before an access link of this rate: 200 ms of it, at least 32 full packets. A network card's 1,000 packets would
/// hold minutes of a slow line.
pub(super) fn access_queue(rate: BitRate) -> queue::Config {
    queue::Config::DropTail(Limit::Bytes(rate.bytes_in(Span::from_millis(200)).max(32 * 1_500)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_slower_up_than_down_and_named_once() {
        for (index, profile) in PROFILES.iter().enumerate() {
            assert!(profile.up_bps <= profile.down_bps, "{}", profile.name);
            assert!(PROFILES[..index].iter().all(|other| other.name != profile.name), "{}", profile.name);
        }
    }

    #[test]
    fn an_access_queue_holds_a_fifth_of_a_second() {
        let rate = BitRate::from_bps(50_000_000).unwrap();
        assert_eq!(access_queue(rate), queue::Config::DropTail(Limit::Bytes(1_250_000)));
        let slow = BitRate::from_bps(49_000).unwrap();
        assert_eq!(access_queue(slow), queue::Config::DropTail(Limit::Bytes(48_000)));
    }
}
