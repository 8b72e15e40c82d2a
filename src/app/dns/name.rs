//! A domain name (RFC 1035 2.3.4, 3.1): labels of 1 to 63 bytes, at most 255 bytes on the wire, compared without case.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

/// Longest label in bytes.
const MAX_LABEL: usize = 63;
/// Longest name on the wire in bytes, length bytes and the root's zero included.
pub(super) const MAX_NAME: usize = 255;

/// A domain name, absolute. Cheap to clone. ASCII letters are kept in lower case, so equality is DNS equality.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<[u8]>);

/// Why a text is no domain name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameError {
    /// Nothing between two dots, or before the first.
    EmptyLabel,
    /// A label of more than 63 bytes.
    LongLabel,
    /// More than 255 bytes on the wire.
    LongName,
    /// A character other than ASCII letters, digits, `-`, `_` (RFC 952, RFC 2181 11).
    Character(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyLabel => f.write_str("a name has no empty parts between its dots"),
            Self::LongLabel => f.write_str("a part of a name has at most 63 characters"),
            Self::LongName => f.write_str("a name has at most 253 characters"),
            Self::Character(c) => write!(f, "a name has letters, digits, `-`, `_` and dots, not `{c}`"),
        }
    }
}

impl std::error::Error for NameError {}

impl Name {
    /// The root, written `.`.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from([0]))
    }

    /// The name in its wire form: each label behind its length, then a zero.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The name from labels as bytes, lower-cased; `None` if a label or the whole is too long or a label is empty.
    pub(super) fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut wire = Vec::with_capacity(32);
        for label in labels {
            let len = u8::try_from(label.len()).ok().filter(|&len| len > 0 && usize::from(len) <= MAX_LABEL)?;
            wire.push(len);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
        }
        wire.push(0);
        (wire.len() <= MAX_NAME).then(|| Self(wire.into()))
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The labels from the left, as bytes.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            if len == 0 {
                return None;
            }
            let (label, after) = tail.split_at(usize::from(len));
            rest = after;
            Some(label)
        })
    }

    /// The name without its first label; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() { None } else { Some(Self(Arc::from(&self.0[usize::from(self.0[0]) + 1..]))) }
    }

    /// Whether this is `zone` or lies below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        let mut rest = &self.0[..];
        while rest.len() > zone.0.len() {
            rest = &rest[usize::from(rest[0]) + 1..];
        }
        *rest == *zone.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads `www.example.com`, with or without the final dot.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Ok(Self::root());
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
            return Err(NameError::Character(odd));
        }
        for label in text.split('.') {
            match label.len() {
                0 => return Err(NameError::EmptyLabel),
                1..=MAX_LABEL => {}
                _ => return Err(NameError::LongLabel),
            }
        }
        Self::from_labels(text.split('.').map(str::as_bytes)).ok_or(NameError::LongName)
    }
}

impl fmt::Display for Name {
    /// Without the final dot, except for the root; bytes that are no plain characters as `\DDD` (RFC 1035 5.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.pad(".");
        }
        let mut text = String::with_capacity(self.0.len());
        for label in self.labels() {
            if !text.is_empty() {
                text.push('.');
            }
            for &byte in label {
                if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
                    text.push(char::from(byte));
                } else {
                    let _ = write!(text, "\\{byte:03}");
                }
            }
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_compared_without_case_and_with_or_without_the_final_dot() {
        assert_eq!(name("WWW.Example.com."), name("www.example.com"));
        assert_eq!(name("www.example.com").to_string(), "www.example.com");
        assert_eq!(name("."), Name::root());
    }

    #[test]
    fn limits_hold_just_inside_and_just_outside() {
        let label = |n| "a".repeat(n);
        assert!(label(63).parse::<Name>().is_ok());
        assert_eq!(label(64).parse::<Name>(), Err(NameError::LongLabel));
        // 3 x 64 + 62 + 1 = 255 bytes on the wire, then one more.
        let longest = [label(63), label(63), label(63), label(61)].join(".");
        assert_eq!(name(&longest).wire().len(), MAX_NAME);
        assert_eq!(format!("{longest}a").parse::<Name>(), Err(NameError::LongName));
        assert_eq!("a..b".parse::<Name>(), Err(NameError::EmptyLabel));
        assert_eq!("sh op".parse::<Name>(), Err(NameError::Character(' ')));
    }

    #[test]
    fn zones_hold_whole_labels() {
        assert!(name("www.shop.example").is_within(&name("shop.example")));
        assert!(name("shop.example").is_within(&name("shop.example")));
        assert!(name("shop.example").is_within(&Name::root()));
        assert!(!name("workshop.example").is_within(&name("shop.example")));
        assert!(!name("example").is_within(&name("shop.example")));
        assert_eq!(name("www.shop.example").parent(), Some(name("shop.example")));
        assert_eq!(Name::root().parent(), None);
    }
}
