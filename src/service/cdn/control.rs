//! What a response says about its being kept: the directives of `Cache-Control` (RFC 9111 5.2.2, RFC 5861), as a shared cache reads them.

use crate::base::Span;
use std::fmt;

/// The directives of a response that matter to a shared cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a directive of its own")]
pub struct CacheControl {
    /// It is fresh for so long (`max-age`).
    pub max_age: Option<Span>,
    /// The same for shared caches, which heed this one first (`s-maxage`).
    pub s_maxage: Option<Span>,
    /// It is not to be stored.
    pub no_store: bool,
    /// It is to be validated before each reuse.
    pub no_cache: bool,
    /// It is for one user: shared caches do not store it.
    pub private: bool,
    /// Shared caches may store it whatever else speaks against it.
    pub public: bool,
    /// Once stale it is never used without validation (`must-revalidate`, and `proxy-revalidate`, which is for shared caches alone).
    pub must_revalidate: bool,
    /// So long after it has become stale it may be used while it is validated.
    pub stale_while_revalidate: Option<Span>,
    /// So long after it has become stale it may be used where validation fails.
    pub stale_if_error: Option<Span>,
}

/// A directive that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadDirective {
    /// As it was written.
    pub text: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a directive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// No directive of responses has this name.
    Unknown,
    /// It needs a number of seconds.
    NoSeconds,
    /// It takes no value.
    Value,
    /// It was given before.
    Twice,
}

/// Every directive that is understood, with whether it takes seconds, and a line about it.
pub const TABLE: &[(&str, &str)] = &[
    ("max-age", "seconds for which a response is fresh"),
    ("s-maxage", "the same for shared caches such as edges, which heed it first"),
    ("no-store", "not to be stored"),
    ("no-cache", "to be validated at the origin before each reuse"),
    ("private", "not to be stored by shared caches"),
    ("public", "may be stored by shared caches whatever else speaks against it"),
    ("must-revalidate", "never used when stale, not even while the origin is down"),
    ("proxy-revalidate", "the same for shared caches alone"),
    (
        "stale-while-revalidate",
        "seconds after it has become stale during which it is used while a newer one is fetched (RFC 5861)",
    ),
    ("stale-if-error", "seconds after it has become stale during which it is used where the origin fails (RFC 5861)"),
];

/// Directives that mean something to browsers alone, or to caches that change what they store: an edge has nothing to heed in them.
const IGNORED: &[&str] = &["immutable", "no-transform"];

/// The most seconds that count (RFC 9111 1.2.2: 2^31).
const MOST: u64 = 1 << 31;

impl CacheControl {
    /// Reads the value of the field as caches do: what is not understood is passed over (RFC 9111 5.2.3), a value that is no number
    /// makes a response stale (4.2.1).
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut control = Self::default();
        for item in text.split(|&byte| byte == b',') {
            let item = String::from_utf8_lossy(item);
            if let Err(BadDirective { why: Why::NoSeconds, .. }) = control.take(item.trim()) {
                let name = item.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
                match name.as_str() {
                    "max-age" => control.max_age = Some(Span::ZERO),
                    "s-maxage" => control.s_maxage = Some(Span::ZERO),
                    _ => {}
                }
            }
        }
        control
    }

    /// Reads the value of the field and refuses what has no meaning to a cache.
    pub fn strict(text: &str) -> Result<Self, BadDirective> {
        let mut control = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for item in text.split(',').map(str::trim) {
            let name = item.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
            control.take(item)?;
            if seen.contains(&name) {
                return Err(BadDirective { text: item.to_owned(), why: Why::Twice });
            }
            seen.push(name);
        }
        Ok(control)
    }

    fn take(&mut self, item: &str) -> Result<(), BadDirective> {
        let (name, value) = item.split_once('=').map_or((item, None), |(name, value)| (name, Some(value.trim())));
        let bad = |why| Err(BadDirective { text: item.to_owned(), why });
        let name = name.trim().to_ascii_lowercase();
        let seconds = || {
            let digits = value.map(|value| value.trim_matches('"'))?;
            let digits =
                digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits).filter(|text| !text.is_empty())?;
            Some(Span::from_secs(digits.parse().unwrap_or(MOST).min(MOST)))
        };
        let timed = match name.as_str() {
            "max-age" => Some(&mut self.max_age),
            "s-maxage" => Some(&mut self.s_maxage),
            "stale-while-revalidate" => Some(&mut self.stale_while_revalidate),
            "stale-if-error" => Some(&mut self.stale_if_error),
            _ => None,
        };
        if let Some(field) = timed {
            let Some(span) = seconds() else { return bad(Why::NoSeconds) };
            field.get_or_insert(span);
            return Ok(());
        }
        let flag = match name.as_str() {
            "no-store" => &mut self.no_store,
            "no-cache" => &mut self.no_cache,
            "private" => &mut self.private,
            "public" => &mut self.public,
            "must-revalidate" | "proxy-revalidate" => &mut self.must_revalidate,
            other if IGNORED.contains(&other) => return Ok(()),
            _ => return bad(Why::Unknown),
        };
        *flag = true;
        if value.is_some() { bad(Why::Value) } else { Ok(()) }
    }

    /// How long a shared cache may call it fresh (RFC 9111 4.2.1), if it says so.
    #[must_use]
    pub fn lifetime(&self) -> Option<Span> {
        self.s_maxage.or(self.max_age)
    }

    /// Whether a shared cache may store it.
    #[must_use]
    pub const fn allows_storing(&self) -> bool {
        !self.no_store && !self.private
    }

    /// How long after it has become stale it may be used while it is validated.
    #[must_use]
    pub fn while_revalidating(&self) -> Span {
        self.unless_forbidden(self.stale_while_revalidate)
    }

    /// How long after it has become stale it may be used where validation fails.
    #[must_use]
    pub fn on_error(&self) -> Span {
        self.unless_forbidden(self.stale_if_error)
    }

    fn unless_forbidden(&self, span: Option<Span>) -> Span {
        if self.must_revalidate || self.no_cache { Span::ZERO } else { span.unwrap_or(Span::ZERO) }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no directive of responses is called so",
            Self::NoSeconds => "it needs a number of seconds",
            Self::Value => "it takes no value",
            Self::Twice => "it is given twice",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Span {
        Span::from_secs(n)
    }

    #[test]
    fn shared_caches_heed_s_maxage_before_max_age() {
        let control = CacheControl::of(b"Max-Age=60 , s-maxage=\"5\",public");
        assert_eq!((control.lifetime(), control.public, control.allows_storing()), (Some(secs(5)), true, true));
        assert_eq!(CacheControl::of(b"max-age=60").lifetime(), Some(secs(60)));
        assert_eq!(CacheControl::of(b"public").lifetime(), None);
        assert!(!CacheControl::of(b"private, max-age=60").allows_storing());
        assert!(!CacheControl::of(b"no-store").allows_storing());
    }

    #[test]
    fn what_must_be_validated_is_never_used_stale() {
        let stale = "stale-while-revalidate=10, stale-if-error=20";
        let spans = |more: &str| {
            let control = CacheControl::of(format!("max-age=1, {stale}{more}").as_bytes());
            (control.while_revalidating(), control.on_error())
        };
        assert_eq!(spans(""), (secs(10), secs(20)));
        for more in [", must-revalidate", ", proxy-revalidate", ", no-cache"] {
            assert_eq!(spans(more), (Span::ZERO, Span::ZERO), "{more}");
        }
    }

    #[test]
    fn caches_pass_over_what_they_do_not_know_and_scenarios_are_told() {
        let control = CacheControl::of(b"max-age=soon, brew, s-maxage, immutable");
        assert_eq!(
            control,
            CacheControl { max_age: Some(Span::ZERO), s_maxage: Some(Span::ZERO), ..CacheControl::default() }
        );
        let why = |text| CacheControl::strict(text).map_err(|bad| (bad.text, bad.why));
        let bad = |text: &str, why| Err((text.to_owned(), why));
        assert_eq!(why("max-age=soon"), bad("max-age=soon", Why::NoSeconds));
        assert_eq!(why("public, max_age=5"), bad("max_age=5", Why::Unknown));
        assert_eq!(why("no-store=1"), bad("no-store=1", Why::Value));
        assert_eq!(why("max-age=1, max-age=2"), bad("max-age=2", Why::Twice));
        assert_eq!(why(""), bad("", Why::Unknown));
        assert!(why("max-age=99999999999999999999, immutable").is_ok_and(|c| c.max_age == Some(secs(1 << 31))));
    }
}
