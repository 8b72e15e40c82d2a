//! Heads as an edge writes them: to its upstream, and to clients with `Age` and `Cache-Status` (RFC 9211).

use super::object::{Object, is_of_connection};
use crate::app::http1::{Fields, Request, Response};
use crate::base::{Span, Time};
use crate::trace::Handling;
use bytes::Bytes;
use std::net::Ipv4Addr;

/// The head by which an edge called `edge` asks for what `client` asked for. `etag`: only if it is not this version any more.
pub(super) fn to_upstream(request: &Request, client: Ipv4Addr, edge: &str, etag: Option<&[u8]>, body: u64) -> Bytes {
    let mut passed = Request { fields: Fields::default(), ..request.clone() };
    for (name, value) in request.fields.iter() {
        // Conditions and ranges are the edge's to answer, who needs the whole.
        let own = ["if-none-match", "if-modified-since", "range", "if-range"];
        if !is_of_connection(name) && !own.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes())) {
            passed.fields.push(Bytes::copy_from_slice(name), Bytes::copy_from_slice(value));
        }
    }
    if body > 0 && passed.fields.get("content-length").is_none() {
        passed.fields.push("Content-Length", body.to_string());
    }
    if let Some(etag) = etag {
        passed.fields.push("If-None-Match", Bytes::copy_from_slice(etag));
    }
    passed.fields.push("X-Forwarded-For", client.to_string());
    passed.fields.push("Via", format!("1.1 {}", pseudonym(edge)));
    passed.fields.push("Connection", "keep-alive");
    passed.encode()
}

/// A name as `Via` can hold it: a token (RFC 9110 7.6.3).
fn pseudonym(edge: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    edge.chars().map(letter).collect()
}

/// How a response came about, for its head.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// The edge's name.
    pub(super) edge: &'a str,
    pub(super) handling: Handling,
    /// Whether a stored response was there that could not be used as it was.
    pub(super) had_stale: bool,
    /// When it is served.
    pub(super) now: Time,
    /// Whether the client's connection ends with it.
    pub(super) close: bool,
}

/// The head for a client who gets all of it, or is told that what it has is still right.
pub(super) fn to_client(object: &Object, not_modified: bool, about: About<'_>) -> Response {
    let stored = about.handling.is_from_store();
    let mut head = Response::new(if not_modified { 304 } else { object.head.status });
    for (name, value) in object.head.fields.iter() {
        let of_body = name.len() >= 8 && name[..8].eq_ignore_ascii_case(b"content-");
        let skipped = is_of_connection(name) || not_modified && of_body || stored && name.eq_ignore_ascii_case(b"age");
        if !skipped {
            head.fields.push(Bytes::copy_from_slice(name), Bytes::copy_from_slice(value));
        }
    }
    let bodiless = matches!(head.status, 204 | 304);
    if !bodiless && head.fields.get("content-length").is_none() {
        head.fields.push("Content-Length", object.body.to_string());
    }
    if stored {
        head.fields.push("Age", whole_seconds(object.age(about.now)).to_string());
    }
    head.fields.push("Cache-Status", cache_status(object, about));
    head.fields.push("Connection", if about.close { "close" } else { "keep-alive" });
    head
}

const fn whole_seconds(span: Span) -> u64 {
    span.as_nanos() / 1_000_000_000
}

/// How this edge handled it; what edges behind it have said stands in a field of its own before.
fn cache_status(object: &Object, about: About<'_>) -> String {
    // A name is a string in quotes, as tokens cannot hold all letters.
    let name: String =
        about.edge.chars().filter(|letter| letter.is_ascii_graphic() && !"\"\\".contains(*letter)).collect();
    let forwarded = if about.had_stale { "fwd=stale" } else { "fwd=uri-miss" };
    let (lifetime, age) = (whole_seconds(object.lifetime), whole_seconds(object.age(about.now)));
    let ttl = if lifetime >= age { (lifetime - age).to_string() } else { format!("-{}", age - lifetime) };
    let status = object.head.status;
    match about.handling {
        Handling::Hit | Handling::Stale | Handling::Negative => format!("\"{name}\"; hit; ttl={ttl}"),
        Handling::StaleOnError => format!("\"{name}\"; hit; ttl={ttl}; detail=upstream-failed"),
        Handling::Revalidated => format!("\"{name}\"; {forwarded}; fwd-status=304; stored"),
        Handling::Coalesced => format!("\"{name}\"; {forwarded}; collapsed"),
        Handling::Miss if object.storable.is_some() => format!("\"{name}\"; {forwarded}; fwd-status={status}; stored"),
        Handling::Miss => format!("\"{name}\"; {forwarded}; fwd-status={status}"),
        Handling::Passed => format!("\"{name}\"; fwd=bypass; fwd-status={status}"),
        Handling::Failed => format!("\"{name}\"; {forwarded}; detail=upstream-failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::http1::Method;
    use crate::service::cdn::Config;

    fn object() -> Object {
        let mut head = Response::new(200);
        for (name, value) in [
            ("ETag", "\"3\""),
            ("Content-Length", "9"),
            ("Cache-Control", "max-age=60"),
            ("Cache-Status", "shield; hit"),
            ("Age", "4"),
        ] {
            head.fields.push(name, value);
        }
        head.fields.push("Connection", "keep-alive");
        Object::new(head, 9, (Time::ZERO, Time::ZERO), &Request::new(Method::Get, "/"), &Config::new())
    }

    fn about(handling: Handling, secs: u64) -> About<'static> {
        let now = Time::ZERO + Span::from_secs(secs);
        About { edge: "edge/2", handling, had_stale: false, now, close: false }
    }

    #[test]
    fn a_hit_says_its_age_and_what_is_left() {
        let head = to_client(&object(), false, about(Handling::Hit, 10));
        assert_eq!(head.fields.all("age").collect::<Vec<_>>(), [b"14"]);
        let status: Vec<&[u8]> = head.fields.all("cache-status").collect();
        assert_eq!(status, [&b"shield; hit"[..], b"\"edge/2\"; hit; ttl=46"]);
        let stale = to_client(&object(), false, about(Handling::Stale, 60));
        assert_eq!(stale.fields.all("cache-status").last(), Some(&b"\"edge/2\"; hit; ttl=-4"[..]));
        let miss = to_client(&object(), false, about(Handling::Miss, 0));
        assert_eq!(
            miss.fields.all("cache-status").last(),
            Some(&b"\"edge/2\"; fwd=uri-miss; fwd-status=200; stored"[..])
        );
        assert_eq!(miss.fields.get("age"), Some(&b"4"[..]));
    }

    #[test]
    fn what_the_client_has_already_is_not_described_again() {
        let head = to_client(&object(), true, about(Handling::Hit, 1));
        assert_eq!(
            (head.status, head.fields.get("content-length"), head.fields.get("etag")),
            (304, None, Some(&b"\"3\""[..]))
        );
        assert_eq!(head.framing(Method::Get), Ok(crate::app::http1::Framing::Length(0)));
    }

    #[test]
    fn an_edge_asks_for_the_whole_on_conditions_of_its_own() {
        let mut request = Request::new(Method::Get, "/a");
        for (name, value) in [("Host", "shop.example"), ("If-None-Match", "\"1\""), ("Connection", "close")] {
            request.fields.push(name, value);
        }
        let head = Request::decode(&to_upstream(&request, Ipv4Addr::LOCALHOST, "edge/2", Some(b"\"7\""), 0)).unwrap();
        assert_eq!(head.fields.all("if-none-match").collect::<Vec<_>>(), [b"\"7\""]);
        assert_eq!(head.fields.get("via"), Some(&b"1.1 edge-2"[..]));
        assert_eq!(head.fields.get("host"), Some(&b"shop.example"[..]));
        assert!(head.fields.keeps_alive(head.version));
    }
}
