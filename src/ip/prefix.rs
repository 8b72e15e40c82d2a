//! A block of addresses that share their first bits (RFC 4632).

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Addresses that agree in their first `len` bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    base: u32,
    len: u8,
}

/// Why a text is not a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrefixError {
    /// Not of the form `10.0.0.0/8`.
    Malformed,
    /// More than 32 bits.
    TooLong,
    /// Bits behind the prefix are set: `10.1.2.3/8`.
    HostBits,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a prefix is written as an address and a length: 10.0.0.0/8",
            Self::TooLong => "an IPv4 prefix has at most 32 bits",
            Self::HostBits => "the bits behind the prefix must be zero",
        })
    }
}

impl std::error::Error for PrefixError {}

impl Prefix {
    /// Every address.
    pub const ALL: Self = Self { base: 0, len: 0 };
    /// The largest private range, 10.0.0.0/8 (RFC 1918).
    pub const PRIVATE: Self = Self { base: 0x0a00_0000, len: 8 };

    /// The prefix of `len` bits that begins at `base`.
    pub const fn new(base: Ipv4Addr, len: u8) -> Result<Self, PrefixError> {
        if len > 32 {
            return Err(PrefixError::TooLong);
        }
        let prefix = Self::around(base, len);
        if prefix.base == base.to_bits() { Ok(prefix) } else { Err(PrefixError::HostBits) }
    }

    /// The prefix of `len` bits, at most 32, that `address` lies in.
    #[must_use]
    pub const fn around(address: Ipv4Addr, len: u8) -> Self {
        debug_assert!(len <= 32);
        Self { base: address.to_bits() & mask(len), len }
    }

    /// The prefix that is one address.
    #[must_use]
    pub const fn host(address: Ipv4Addr) -> Self {
        Self { base: address.to_bits(), len: 32 }
    }

    /// Length in bits.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the field's name for the number of bits")]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// First address.
    #[must_use]
    pub const fn first(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base)
    }

    /// Last address.
    #[must_use]
    pub const fn last(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base | !mask(self.len))
    }

    /// Number of addresses.
    #[must_use]
    pub const fn size(self) -> u64 {
        1 << (32 - self.len)
    }

    /// Whether `address` lies inside.
    #[must_use]
    #[inline]
    pub const fn contains(self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.base) & mask(self.len) == 0
    }

    /// Whether the two share an address: then one lies in the other.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.contains(other.first()) || other.contains(self.first())
    }

    /// Whether all of `other` lies inside.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.len <= other.len && self.contains(other.first())
    }
}

const fn mask(len: u8) -> u32 {
    if len == 0 { 0 } else { u32::MAX << (32 - len) }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (base, len) = text.split_once('/').ok_or(PrefixError::Malformed)?;
        let base = base.parse().map_err(|_| PrefixError::Malformed)?;
        Self::new(base, len.parse().map_err(|_| PrefixError::Malformed)?)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.first(), self.len))
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_its_bits_say() {
        let prefix: Prefix = "10.1.4.0/22".parse().unwrap();
        let inside = |text: &str| prefix.contains(text.parse().unwrap());
        assert!(!inside("10.1.3.255") && inside("10.1.4.0") && inside("10.1.7.255") && !inside("10.1.8.0"));
        assert_eq!((prefix.size(), prefix.last().to_string()), (1024, "10.1.7.255".to_owned()));
        assert_eq!(prefix.to_string(), "10.1.4.0/22");
        assert!(Prefix::ALL.contains(Ipv4Addr::BROADCAST) && Prefix::ALL.size() == 1 << 32);
        assert!(Prefix::PRIVATE.covers(prefix) && !prefix.covers(Prefix::PRIVATE));
        assert!(prefix.overlaps(Prefix::PRIVATE) && !prefix.overlaps("10.1.8.0/22".parse().unwrap()));
    }

    #[test]
    fn what_is_no_prefix_says_why() {
        let error = |text: &str| text.parse::<Prefix>().unwrap_err();
        assert_eq!(error("10.0.0.0"), PrefixError::Malformed);
        assert_eq!(error("10.0.0/8"), PrefixError::Malformed);
        assert_eq!(error("10.0.0.0/33"), PrefixError::TooLong);
        assert_eq!(error("10.0.0.1/31"), PrefixError::HostBits);
        assert!("10.0.0.1/32".parse::<Prefix>().is_ok());
    }
}
