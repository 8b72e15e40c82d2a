//! Purging: what is stored goes, and what is on its way is not stored, as it may be as old.

use super::Edge;
use crate::app::http1::Request;
use crate::trace::CacheEvent;

/// The field in which a control point numbers its purges, with its own number before it.
pub(super) const NUMBER: &str = "Purge-Number";

/// Carries out a `PURGE` of a path, or of all that begins with it if it ends in `*`.
pub(super) fn carry_out(edge: &Edge, request: &Request) {
    let pattern = request.target.split(|&byte| byte == b'?').next().unwrap_or_default();
    let matches = |target: &[u8]| {
        let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
        match pattern.strip_suffix(b"*") {
            Some(start) => path.starts_with(start),
            None => path == pattern,
        }
    };
    let objects = remove(edge, matches);
    let number = request.fields.get(NUMBER).and_then(|value| std::str::from_utf8(value).ok());
    let (control, purge) = number.and_then(|text| text.split_once('-')).unwrap_or(("", "0"));
    edge.record(CacheEvent::Purged { control: control.parse().ok(), purge: purge.parse().unwrap_or(0), objects });
}

/// Forgets what is stored for a target, as it has been changed through this edge.
pub(super) fn forget(edge: &Edge, target: &[u8]) {
    remove(edge, |other| other == target);
}

fn remove(edge: &Edge, matches: impl Fn(&[u8]) -> bool) -> u64 {
    edge.flights.borrow_mut().retain(|name, flight| {
        let hit = matches(super::target(name));
        if hit {
            flight.purge();
        }
        !hit
    });
    edge.store.borrow_mut().remove_all(|name| matches(super::target(name)))
}
