//! A response as an edge has it: its head, the length of its body, and what it says about its being kept.

use super::config::Config;
use super::control::CacheControl;
use super::freshness::{Clock, Use, usable, usable_on_error};
use super::validator;
use super::vary::Vary;
use crate::app::http1::{Fields, Request, Response};
use crate::base::{Span, Time};
use bytes::Bytes;

/// A response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Object {
    pub(super) head: Response,
    /// Bytes of its body.
    pub(super) body: u64,
    pub(super) clock: Clock,
    pub(super) control: CacheControl,
    /// How long it is fresh.
    pub(super) lifetime: Span,
    /// Bytes that it takes in the store: its head as it came, and its body.
    pub(super) bytes: u64,
    /// Its name in the store, if it may be stored.
    pub(super) storable: Option<Vary>,
}

impl Object {
    /// What has come in answer to `request`.
    pub(super) fn new(
        head: Response,
        body: u64,
        (asked, came): (Time, Time),
        request: &Request,
        config: &Config,
    ) -> Self {
        let clock = Clock { asked, came, age: age(&head.fields) };
        let control = head.fields.get("cache-control").map_or_else(CacheControl::default, CacheControl::of);
        let stated = control.lifetime();
        let lifetime = match head.status {
            _ if stated.is_some() => stated,
            404 | 405 | 410 | 414 | 501 => config.negative.not_found,
            500..=599 => config.negative.errors,
            200 | 203 | 204 | 300 | 301 | 308 => config.ttl,
            _ => None,
        };
        let bytes = body + head.encode().len() as u64;
        let mut object =
            Self { head, body, clock, control, lifetime: lifetime.unwrap_or(Span::ZERO), bytes, storable: None };
        object.storable = Vary::of(&object.head.fields).filter(|_| object.may_be_stored(request, lifetime));
        object
    }

    /// RFC 9111 3, for a shared cache.
    fn may_be_stored(&self, request: &Request, lifetime: Option<Span>) -> bool {
        let control = &self.control;
        let authorized = request.fields.get("authorization").is_some();
        let allowed = control.public || control.must_revalidate || control.s_maxage.is_some();
        // What sets a cookie is meant for one user; nginx and Varnish do not store it either.
        let personal = self.head.fields.get("set-cookie").is_some() && !control.public;
        let later = control.while_revalidating() + control.on_error();
        let of_use = lifetime.is_some_and(|lifetime| !(lifetime + later).is_zero()) && !control.no_cache;
        // Without a lifetime it is stale at once: of use if that can be validated, and if it is no error.
        let can_be_validated = self.etag().is_some() && self.head.status == 200;
        !matches!(self.head.status, 206 | 304)
            && control.allows_storing()
            && (!authorized || allowed)
            && !personal
            && (of_use || can_be_validated)
    }

    /// What a 304 makes of it (RFC 9111 4.3.4): fields that it has replace those of the same name.
    pub(super) fn refreshed(&self, head: &Response, times: (Time, Time), request: &Request, config: &Config) -> Self {
        let mut fields = Fields::default();
        let keeps = |name: &[u8]| !is_of_connection(name) && !name.eq_ignore_ascii_case(b"content-length");
        let replaced =
            |name: &[u8]| keeps(name) && head.fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        // The age is that of what came now.
        let old = self.head.fields.iter().filter(|(name, _)| !replaced(name) && !name.eq_ignore_ascii_case(b"age"));
        let new = head.fields.iter().filter(|(name, _)| keeps(name));
        for (name, value) in old.chain(new) {
            fields.push(Bytes::copy_from_slice(name), Bytes::copy_from_slice(value));
        }
        let fresh = Response { fields, ..self.head.clone() };
        Self { bytes: self.bytes, ..Self::new(fresh, self.body, times, request, config) }
    }

    pub(super) fn etag(&self) -> Option<&[u8]> {
        self.head.fields.get("etag")
    }

    pub(super) fn version(&self) -> Option<u64> {
        self.etag().and_then(validator::version)
    }

    pub(super) fn age(&self, now: Time) -> Span {
        self.clock.age_at(now)
    }

    pub(super) fn usable(&self, now: Time) -> Use {
        usable(&self.control, self.lifetime, self.age(now))
    }

    pub(super) fn usable_on_error(&self, now: Time) -> bool {
        usable_on_error(&self.control, self.lifetime, self.age(now))
    }

    /// Whether it is an answer for which a stale one may stand in (RFC 5861 4).
    pub(super) const fn is_error(&self) -> bool {
        matches!(self.head.status, 500 | 502 | 503 | 504)
    }
}

/// Whether a field belongs to one connection only (RFC 9110 7.6.1).
pub(super) fn is_of_connection(name: &[u8]) -> bool {
    const NAMES: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
    NAMES.iter().any(|hop| name.eq_ignore_ascii_case(hop.as_bytes()))
}

fn age(fields: &Fields) -> Span {
    let text = fields.get("age").and_then(|value| std::str::from_utf8(value.trim_ascii()).ok());
    Span::from_secs(text.and_then(|text| text.parse().ok()).map_or(0, |secs: u64| secs.min(1 << 31)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::http1::Method;

    fn object(
        status: u16,
        fields: &[(&'static str, &'static str)],
        change: impl FnOnce(&mut Config, &mut Request),
    ) -> Object {
        let mut head = Response::new(status);
        fields.iter().for_each(|&(name, value)| head.fields.push(name, value));
        let (mut config, mut request) = (Config::new(), Request::new(Method::Get, "/"));
        change(&mut config, &mut request);
        Object::new(head, 100, (Time::ZERO, Time::ZERO + Span::from_millis(40)), &request, &config)
    }

    #[test]
    fn what_is_stored_is_what_a_shared_cache_may_store_and_can_use() {
        let stored = |status, fields: &[_]| object(status, fields, |_, _| {}).storable.is_some();
        assert!(stored(200, &[("Cache-Control", "max-age=60")]));
        assert!(!stored(200, &[]), "nothing is said, and nothing can be validated");
        assert!(stored(200, &[("ETag", "\"1\"")]), "it can be validated each time");
        assert!(stored(200, &[("Cache-Control", "no-cache"), ("ETag", "\"1\"")]));
        assert!(!stored(200, &[("Cache-Control", "no-cache, max-age=60")]), "it could not be validated");
        assert!(!stored(200, &[("Cache-Control", "max-age=60, private")]));
        assert!(!stored(200, &[("Cache-Control", "max-age=60, no-store"), ("ETag", "\"1\"")]));
        assert!(!stored(200, &[("Cache-Control", "max-age=60"), ("Vary", "*")]));
        assert!(!stored(200, &[("Cache-Control", "max-age=60"), ("Set-Cookie", "a=b")]));
        assert!(stored(200, &[("Cache-Control", "max-age=60, public"), ("Set-Cookie", "a=b")]));
        assert!(
            !stored(404, &[]) && !stored(500, &[("ETag", "\"1\"")]) && !stored(206, &[("Cache-Control", "max-age=9")])
        );
        assert!(stored(404, &[("Cache-Control", "max-age=9")]));
        let authorized = |control: &'static str| {
            object(200, &[("Cache-Control", control)], |_, request| request.fields.push("Authorization", "Basic eA=="))
                .storable
                .is_some()
        };
        assert!(!authorized("max-age=60") && authorized("max-age=60, public") && authorized("s-maxage=60"));
    }

    #[test]
    fn errors_are_remembered_for_as_long_as_the_edge_is_told() {
        let lifetime = |status| {
            let object = object(status, &[], |config, _| {
                config.negative.not_found = Some(Span::from_secs(5));
                config.negative.errors = Some(Span::from_secs(1));
                config.ttl = Some(Span::from_secs(60));
            });
            (object.storable.is_some(), object.lifetime.as_millis() / 1_000)
        };
        assert_eq!([404, 410, 503, 200, 302].map(lifetime), [(true, 5), (true, 5), (true, 1), (true, 60), (false, 0)]);
    }

    #[test]
    fn a_304_renews_the_fields_that_it_has() {
        let old = object(
            200,
            &[("ETag", "\"1\""), ("Cache-Control", "max-age=1"), ("Age", "7"), ("Content-Length", "100")],
            |_, _| {},
        );
        let mut head = Response::new(304);
        head.fields.push("cache-control", "max-age=9");
        head.fields.push("Connection", "keep-alive");
        let later = Time::ZERO + Span::from_secs(10);
        let new = old.refreshed(&head, (later, later), &Request::new(Method::Get, "/"), &Config::new());
        assert_eq!((new.head.status, new.body, new.lifetime, new.bytes), (200, 100, Span::from_secs(9), old.bytes));
        assert_eq!((new.etag(), new.age(later)), (Some(&b"\"1\""[..]), Span::ZERO));
        assert_eq!(new.head.fields.get("content-length"), Some(&b"100"[..]));
        assert_eq!(new.head.fields.all("cache-control").count(), 1);
        assert_eq!(new.head.fields.get("connection"), None);
    }
}
