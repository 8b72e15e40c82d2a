//! Light in fiber: metres become nanoseconds by integers only.

use super::geodesic::{Coordinates, distance};
use crate::base::Span;
use std::fmt;

/// Nanoseconds that light in fiber needs for a metre: 200,000 km/s is exactly 5 ns/m (group index 1.5, close to the 1.468 of
/// ITU-T G.652 fiber at 1550 nm).
pub const NANOS_PER_METRE: u64 = 5;

/// Metres of cable between two hosts at the same place: another rack of the same building, 500 ns away.
pub const SAME_PLACE_METRES: u64 = 100;

/// How much longer a cable is than the geodesic between its ends, in millionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stretch(u64);

impl Stretch {
    /// A cable along the geodesic.
    pub const STRAIGHT: Self = Self(1_000_000);
    /// Light in vacuum along the geodesic, as a fraction of fiber's delay (200,000 / 299,792.458): nothing is faster.
    pub const VACUUM: Self = Self(667_128);

    /// A stretch of `factor`, rounded to a millionth; `None` below [`Stretch::VACUUM`] or above 1,000. Factors below 1 stand
    /// for paths through air, such as microwave relays.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    pub fn new(factor: f64) -> Option<Self> {
        let millionths = libm::round(factor * 1e6);
        (667_128.0..=1e9).contains(&millionths).then_some(Self(millionths as u64))
    }

    /// The factor, for display.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Default for Stretch {
    fn default() -> Self {
        Self::STRAIGHT
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.6}", self.get());
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// One-way propagation delay in nanoseconds of `metres` of geodesic, the cable being `stretch` times as long; rounded to the
/// nearest nanosecond, saturating.
#[must_use]
pub fn fiber_delay(metres: u64, stretch: Stretch) -> Span {
    let millionths = u128::from(metres) * u128::from(NANOS_PER_METRE) * u128::from(stretch.0);
    Span::from_nanos(u64::try_from((millionths + 500_000) / 1_000_000).unwrap_or(u64::MAX))
}

/// Metres of cable between two places: the geodesic, but at least [`SAME_PLACE_METRES`].
#[must_use]
pub fn cable_metres(a: Coordinates, b: Coordinates) -> u64 {
    distance(a, b).max(SAME_PLACE_METRES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topo::find;

    #[test]
    fn light_in_fiber_takes_five_nanoseconds_a_metre() {
        assert_eq!(fiber_delay(200_000_000, Stretch::STRAIGHT), Span::from_secs(1));
        assert_eq!(fiber_delay(1, Stretch::STRAIGHT), Span::from_nanos(5));
        assert_eq!(fiber_delay(1_000_000, Stretch::new(1.3).unwrap()), Span::from_micros(6_500));
        // 3 m x 1.1 = 16.5 ns: half rounds up.
        assert_eq!(fiber_delay(3, Stretch::new(1.1).unwrap()), Span::from_nanos(17));
        assert_eq!(fiber_delay(u64::MAX, Stretch::STRAIGHT), Span::MAX);
    }

    #[test]
    fn new_york_to_london_and_back_has_a_floor_of_56_ms() {
        let place = |name| find(name).unwrap().at;
        let metres = cable_metres(place("New York"), place("London"));
        assert!((5_560_000..5_600_000).contains(&metres), "{metres} m");
        let round_trip = fiber_delay(metres, Stretch::STRAIGHT) * 2;
        assert!((Span::from_micros(55_600)..Span::from_micros(56_000)).contains(&round_trip), "{round_trip}");
    }

    #[test]
    fn two_hosts_in_one_building_are_under_a_millisecond() {
        let paris = find("Paris").unwrap().at;
        let round_trip = fiber_delay(cable_metres(paris, paris), Stretch::STRAIGHT) * 2;
        assert_eq!(round_trip, Span::from_micros(1));
    }

    #[test]
    fn nothing_beats_light_in_vacuum() {
        assert_eq!(Stretch::new(0.66), None);
        assert_eq!(Stretch::new(0.667_128), Some(Stretch::VACUUM));
        assert_eq!(Stretch::new(0.667_127), None);
        assert_eq!(Stretch::new(1000.0).unwrap().to_string(), "1000");
        assert_eq!(Stretch::new(1000.1), None);
        assert_eq!(Stretch::new(f64::NAN), None);
        // 299,792,458 m are one second of light in vacuum.
        let second = fiber_delay(299_792_458, Stretch::VACUUM).as_nanos();
        assert!(second.abs_diff(1_000_000_000) < 1_000, "{second}");
    }
}
