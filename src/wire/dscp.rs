//! Differentiated-services code points (RFC 2474): what a packet asks of the queues on its way.

use std::fmt;

/// The upper six bits of the traffic-class byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Dscp(u8);

/// Every named code point: class selectors (RFC 2474), assured forwarding (RFC 2597), expedited forwarding (RFC 3246), voice
/// admit (RFC 5865), lower effort (RFC 8622).
const NAMES: &[(&str, u8)] = &[
    ("CS0", 0),
    ("LE", 1),
    ("CS1", 8),
    ("AF11", 10),
    ("AF12", 12),
    ("AF13", 14),
    ("CS2", 16),
    ("AF21", 18),
    ("AF22", 20),
    ("AF23", 22),
    ("CS3", 24),
    ("AF31", 26),
    ("AF32", 28),
    ("AF33", 30),
    ("CS4", 32),
    ("AF41", 34),
    ("AF42", 36),
    ("AF43", 38),
    ("CS5", 40),
    ("VA", 44),
    ("EF", 46),
    ("CS6", 48),
    ("CS7", 56),
];

impl Dscp {
    /// Best effort: what packets carry unless somebody says otherwise.
    pub const DEFAULT: Self = Self(0);

    /// The code point `value`, or `None` above 63.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value < 64 { Some(Self(value)) } else { None }
    }

    /// The code point with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|entry| entry.0 == name).map(|entry| Self(entry.1))
    }

    /// Every name there is, in the order of the code points.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        NAMES.iter().map(|entry| entry.0)
    }

    /// The code point as a number between 0 and 63.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Dscp {
    /// Its name, or its number if it has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|entry| entry.1 == self.0) {
            Some(entry) => f.pad(entry.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_rfcs() {
        // RFC 2597 6: AFij is 8i + 2j; RFC 2474 4.2.2.1: CSi is 8i; RFC 3246 2.7: EF is 101110.
        for (class, precedence) in (1..=4).flat_map(|class| (1..=3).map(move |precedence| (class, precedence))) {
            let dscp = Dscp::by_name(&format!("AF{class}{precedence}")).unwrap();
            assert_eq!(dscp.get(), 8 * class + 2 * precedence);
        }
        (0..8).for_each(|class| assert_eq!(Dscp::by_name(&format!("CS{class}")).unwrap().get(), 8 * class));
        assert_eq!(Dscp::by_name("EF").unwrap().get(), 0b10_1110);
        assert_eq!(Dscp::new(63).unwrap().to_string(), "63");
        assert_eq!(Dscp::new(64), None);
        assert!(NAMES.is_sorted_by_key(|entry| entry.1));
    }
}
