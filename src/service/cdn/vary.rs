//! Which variant of a resource a request is for: the values of the fields that `Vary` names (RFC 9111 4.1).

use crate::app::http1::Fields;
use bytes::{BufMut, Bytes, BytesMut};

/// The fields by which the variants of a resource differ, in small letters and alphabetical order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vary(Vec<String>);

impl Vary {
    /// What a response says; `None` for `Vary: *`, which no second request matches.
    #[must_use]
    pub fn of(fields: &Fields) -> Option<Self> {
        let mut names = Vec::new();
        for item in fields.all("vary").flat_map(|value| value.split(|&byte| byte == b',')) {
            let name = String::from_utf8_lossy(item.trim_ascii()).to_ascii_lowercase();
            match name.as_str() {
                "*" => return None,
                "" => {}
                _ => names.push(name),
            }
        }
        names.sort_unstable();
        names.dedup();
        Some(Self(names))
    }

    /// Whether there is only one variant.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The part of a stored response's name that a request decides: its values of the fields, white space apart as it wrote them.
    #[must_use]
    pub fn key(&self, request: &Fields) -> Bytes {
        let mut key = BytesMut::new();
        for name in &self.0 {
            key.put_slice(name.as_bytes());
            for value in request.all(name) {
                key.put_u8(b':');
                key.put_slice(value.trim_ascii());
            }
            key.put_u8(b'\n');
        }
        key.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> Fields {
        let mut fields = Fields::default();
        pairs.iter().for_each(|&(name, value)| fields.push(name, value));
        fields
    }

    #[test]
    fn variants_differ_in_what_vary_names_and_in_nothing_else() {
        let vary =
            Vary::of(&fields(&[("Vary", "Accept-Encoding, accept-language"), ("vary", "ACCEPT-ENCODING")])).unwrap();
        let key = |pairs: &[_]| vary.key(&fields(pairs));
        let gzip = key(&[("Accept-Encoding", "gzip"), ("User-Agent", "a")]);
        assert_eq!(gzip, key(&[("User-Agent", "b"), ("accept-encoding", " gzip")]));
        assert_ne!(gzip, key(&[("Accept-Encoding", "br")]));
        assert_ne!(gzip, key(&[("Accept-Encoding", "gzip"), ("Accept-Language", "de")]));
        assert_ne!(key(&[]), key(&[("Accept-Encoding", "")]), "not said is not the same as nothing");
        assert_ne!(key(&[("Accept-Encoding", "gzip")]), key(&[("Accept-Language", "gzip")]));
        assert_eq!(Vary::of(&fields(&[])), Some(Vary::default()));
        assert_eq!(Vary::of(&fields(&[("Vary", "a, *")])), None);
    }
}
