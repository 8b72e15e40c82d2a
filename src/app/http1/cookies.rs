//! Cookies (RFC 6265): what a server sets, what a user agent keeps of it, and when it sends it back.
//!
//! A [`Jar`] is one user's for one origin. Not looked at: `Domain` (a jar has one origin), `Expires` (servers here say `Max-Age`),
//! `SameSite` and `HttpOnly`, which are about pages and scripts.

use super::head::Fields;
use crate::base::{Span, Time};
use std::fmt;

/// A cookie as a server sets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetCookie {
    /// Its name, a token.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Requests for this path and what is below it carry it; `None`: for where it was set and beside.
    pub path: Option<String>,
    /// Forgotten after so long, in whole seconds; `None`: with the user's session.
    pub max_age: Option<Span>,
    /// Whether it is only sent under TLS.
    pub secure: bool,
}

impl SetCookie {
    /// The cookie in the value of a `Set-Cookie` field; `None` where a user agent ignores it (RFC 6265 5.2).
    #[must_use]
    pub fn parse(field: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(field).ok()?;
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return None;
        }
        let mut cookie =
            Self { name: name.to_owned(), value: value.to_owned(), path: None, max_age: None, secure: false };
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("path") {
                // 5.2.4: anything that is no path stands for the default.
                cookie.path = value.starts_with('/').then(|| value.to_owned());
            } else if name.eq_ignore_ascii_case("secure") {
                cookie.secure = true;
            } else if name.eq_ignore_ascii_case("max-age") {
                // 5.2.2: digits, with a sign that means "at once".
                let at_once = value.strip_prefix('-').is_some_and(is_number);
                let seconds =
                    if at_once { Some(0) } else { is_number(value).then(|| value.parse().unwrap_or(u64::MAX)) };
                cookie.max_age = seconds.map(|seconds| Span::from_secs(seconds.min(MOST_SECONDS))).or(cookie.max_age);
            }
        }
        Some(cookie)
    }
}

/// A hundred years: what lives longer lives for ever.
const MOST_SECONDS: u64 = 100 * 366 * 86_400;

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for SetCookie {
    /// As the value of a `Set-Cookie` field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)?;
        if let Some(path) = &self.path {
            write!(f, "; Path={path}")?;
        }
        if let Some(age) = self.max_age {
            write!(f, "; Max-Age={}", age.as_nanos() / 1_000_000_000)?;
        }
        if self.secure { f.write_str("; Secure") } else { Ok(()) }
    }
}

/// The value of a cookie that a request carries (RFC 6265 4.2).
#[must_use]
pub fn cookie<'a>(fields: &'a Fields, name: &'a str) -> Option<&'a [u8]> {
    fields.all("cookie").flat_map(|value| value.split(|&byte| byte == b';')).find_map(|pair| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    })
}

/// Whether a cookie for `of` goes with a request for `path`, which has no query (RFC 6265 5.1.4).
#[must_use]
pub fn path_matches(of: &str, path: &str) -> bool {
    path.strip_prefix(of).is_some_and(|rest| rest.is_empty() || of.ends_with('/') || rest.starts_with('/'))
}

/// The directory of a target: what a cookie without a path is for (RFC 6265 5.1.4).
fn directory(target: &str) -> &str {
    match without_query(target).rfind('/') {
        None | Some(0) => "/",
        Some(at) => &target[..at],
    }
}

fn without_query(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    name: String,
    value: String,
    path: String,
    secure: bool,
    until: Time,
}

/// The cookies of one user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Jar(Vec<Kept>);

impl Jar {
    /// A jar with some cookies for the whole origin, names and values, that stay.
    #[must_use]
    pub fn with(cookies: &[(String, String)]) -> Self {
        let kept = |(name, value): &(String, String)| Kept {
            name: name.clone(),
            value: value.clone(),
            path: "/".to_owned(),
            secure: false,
            until: Time::NEVER,
        };
        Self(cookies.iter().map(kept).collect())
    }

    /// Keeps what an answer to a request for `target` sets, or forgets what it says is over (RFC 6265 5.3).
    pub fn keep(&mut self, answer: &Fields, target: &str, now: Time) {
        for cookie in answer.all("set-cookie").filter_map(SetCookie::parse) {
            let SetCookie { name, value, path, max_age, secure } = cookie;
            let path = path.unwrap_or_else(|| directory(target).to_owned());
            let until = max_age.map_or(Time::NEVER, |age| now.saturating_add(age));
            let made = Kept { name, value, path, secure, until };
            // One with the same name and path is replaced where it stands: its creation time stays.
            match self.0.iter().position(|old| old.name == made.name && old.path == made.path) {
                Some(at) => self.0[at] = made,
                None => self.0.push(made),
            }
        }
        self.0.retain(|cookie| cookie.until > now);
    }

    /// The value of the `Cookie` field of a request for `target`: longer paths first, then older cookies (RFC 6265 5.4); `None` where
    /// there is nothing to send.
    #[must_use]
    pub fn field(&self, target: &str, tls: bool, now: Time) -> Option<String> {
        let path = without_query(target);
        let goes = |cookie: &&Kept| cookie.until > now && (tls || !cookie.secure) && path_matches(&cookie.path, path);
        let mut going: Vec<&Kept> = self.0.iter().filter(goes).collect();
        going.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = going.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::from_secs(seconds)
    }

    fn setting(jar: &mut Jar, field: &'static str, target: &str, now: u64) {
        let mut fields = Fields::default();
        fields.push("Set-Cookie", field);
        jar.keep(&fields, target, at(now));
    }

    #[test]
    fn a_cookie_goes_to_its_path_and_below_until_its_age() {
        let mut jar = Jar::default();
        setting(&mut jar, "cart=7; Path=/shop; Max-Age=10", "/shop/add?x=1", 5);
        let field = |jar: &Jar, target, now| jar.field(target, false, at(now));
        assert_eq!(field(&jar, "/shop", 5).as_deref(), Some("cart=7"));
        assert_eq!(field(&jar, "/shop/pay?now", 14).as_deref(), Some("cart=7"));
        assert_eq!(field(&jar, "/shopping", 6), None, "another directory");
        assert_eq!(field(&jar, "/shop", 15), None, "ten seconds are over");
        setting(&mut jar, "cart=; Path=/shop; Max-Age=0", "/", 6);
        assert_eq!(field(&jar, "/shop", 6), None);
    }

    #[test]
    fn without_a_path_it_belongs_to_where_it_was_set() {
        let mut jar = Jar::with(&[("beta".to_owned(), "1".to_owned())]);
        setting(&mut jar, "a=1; path=nonsense", "/shop/items/7?q=/x/", 0);
        setting(&mut jar, "b=2; Path=/shop; SECURE", "/", 0);
        let field = |target, tls| jar.field(target, tls, at(1));
        assert_eq!(field("/shop/items/8", true).as_deref(), Some("a=1; b=2; beta=1"), "longer paths first");
        assert_eq!(field("/shop/items/8", false).as_deref(), Some("a=1; beta=1"));
        assert_eq!(field("/", true).as_deref(), Some("beta=1"));
    }

    #[test]
    fn what_user_agents_ignore_is_ignored() {
        assert_eq!(SetCookie::parse(b"no name"), None);
        assert_eq!(SetCookie::parse(b"=value"), None);
        assert_eq!(SetCookie::parse(b"a=1; Max-Age=ten").unwrap().max_age, None);
        assert_eq!(SetCookie::parse(b"a=1; max-age=-5").unwrap().max_age, Some(Span::ZERO));
        assert_eq!(SetCookie::parse(b" a = b=c ").unwrap().value, "b=c");
    }

    #[test]
    fn cookies_are_found_in_a_request() {
        let mut fields = Fields::default();
        fields.push("Cookie", "a=b; session=7");
        assert_eq!(cookie(&fields, "session"), Some(&b"7"[..]));
        assert_eq!(cookie(&fields, "sess"), None);
    }

    proptest! {
        #[test]
        fn what_is_set_is_read_back(
            name in "[a-z]{1,8}", value in "[0-9a-z/]{0,20}", path in proptest::option::of("/[a-z/]{0,9}"),
            age in proptest::option::of(0..1_000_000_u64), secure in any::<bool>()
        ) {
            let set = SetCookie { name, value, path, max_age: age.map(Span::from_secs), secure };
            prop_assert_eq!(SetCookie::parse(set.to_string().as_bytes()), Some(set));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), target in "/[ -~]{0,20}") {
            if let Some(set) = SetCookie::parse(&bytes) {
                let mut fields = Fields::default();
                fields.push("Set-Cookie", set.to_string().replace(char::is_control, "x"));
                let mut jar = Jar::default();
                jar.keep(&fields, &target, Time::ZERO);
                let _ = jar.field(&target, true, Time::ZERO);
            }
        }
    }
}
