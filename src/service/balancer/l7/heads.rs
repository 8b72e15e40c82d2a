//! Heads as a proxy passes them on: without what concerns one connection only, with what a proxy has to add.

use crate::app::http1::{Fields, Request, Response};
use bytes::Bytes;
use std::net::Ipv4Addr;

/// Fields that belong to one connection (RFC 9110 7.6.1, and the coding of transfer).
const HOP_BY_HOP: &[&str] = &["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// The request's head for a backend. `body` is its length where the client sent it in chunks.
pub(super) fn to_backend(request: &Request, client: Ipv4Addr, body: u64) -> Bytes {
    let mut passed = Request { fields: Fields::default(), ..request.clone() };
    pass(&request.fields, &mut passed.fields);
    if body > 0 && passed.fields.get("content-length").is_none() {
        passed.fields.push("Content-Length", body.to_string());
    }
    passed.fields.push("X-Forwarded-For", client.to_string());
    passed.fields.push("Via", "1.1 balancer");
    passed.fields.push("Connection", "keep-alive");
    passed.encode()
}

/// The response's head for the client; `length` where the backend did not say it.
pub(super) fn to_client(response: &Response, length: Option<u64>, close: bool, cookie: Option<String>) -> Bytes {
    let mut passed = Response::new(response.status);
    pass(&response.fields, &mut passed.fields);
    if let Some(length) = length {
        passed.fields.push("Content-Length", length.to_string());
    }
    if let Some(cookie) = cookie {
        passed.fields.push("Set-Cookie", cookie);
    }
    passed.fields.push("Via", "1.1 balancer");
    passed.fields.push("Connection", if close { "close" } else { "keep-alive" });
    passed.encode()
}

fn pass(from: &Fields, to: &mut Fields) {
    for (name, value) in from.iter() {
        if !HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop.as_bytes())) {
            to.push(Bytes::copy_from_slice(name), Bytes::copy_from_slice(value));
        }
    }
}
