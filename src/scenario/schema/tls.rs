//! TLS settings: a server's and its users', and whether the two can speak with each other.

use super::form::{Fields, Form};
use super::{Problems, dist, inner, named_entries, value};
use crate::app::dns::Name;
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Node, NodeKind};
use crate::service::{client, server};
use crate::wire::tls::{SMALLEST_CERTIFICATE, Version};

static SERVER: Form = Form {
    name: "server-tls",
    fields: &["min_version", "max_version", "certificate", "names", "tickets", "early_data", "record", "handshake"],
};
static CLIENT: Form = Form { name: "client-tls", fields: &["min_version", "max_version", "resumption", "early_data"] };

pub(super) const FORMS: &[&Form] = &[&SERVER, &CLIENT];

/// What `true` means: as much as other servers take when it is switched on (OpenSSL's `max_early_data`).
const EARLY_DATA: u32 = 16_384;

/// A server's `tls`: `true`, `()` or fields.
pub(super) fn server(value: &Value, problems: &mut Problems) -> Option<server::Tls> {
    let mut tls = server::Tls::new();
    match value.kind {
        Kind::Bool(true) => return Some(tls),
        Kind::Bool(false) => return None,
        _ => {}
    }
    // One that cannot be read is there all the same: nothing more is to be said about its absence.
    let Some(fields) = Fields::open(&SERVER, value, problems) else { return Some(tls) };
    (tls.min_version, tls.max_version) = versions(&fields, problems);
    if let Some(value) = fields.get("certificate") {
        tls.certificate = certificate(value, problems).unwrap_or(tls.certificate);
    }
    if let Some(value) = fields.get("names") {
        tls.names = names(value, tls.certificate, problems);
    }
    if let Some(value) = fields.get("tickets") {
        tls.tickets = match value.kind {
            Kind::Bool(false) => None,
            Kind::Bool(true) => tls.tickets,
            _ => value::positive_span(value, "`tickets` (a duration, or `false`)", problems).or(tls.tickets),
        };
    }
    if let Some(value) = fields.get("early_data") {
        tls.early_data = match value.kind {
            Kind::Bool(false) => 0,
            Kind::Bool(true) => EARLY_DATA,
            _ => value::bytes(value, "`early_data` (bytes, or `false`)", 1..=1 << 24, problems)
                .and_then(|bytes| u32::try_from(bytes).ok())
                .unwrap_or(0),
        };
    }
    if let Some(value) = fields.get("record") {
        // The smallest that anybody uses, and the largest that there is (RFC 8446 5.1).
        tls.record = value::bytes(value, "`record`", 512..=16 << 10, problems).unwrap_or(tls.record);
    }
    if let Some(value) = fields.get("handshake") {
        tls.handshake = dist::read(value, "`handshake`", problems).unwrap_or(tls.handshake);
    }
    if tls.max_version == Version::Tls12 {
        fields.no_effect("early_data", "early data came with TLS 1.3", problems);
    } else if tls.tickets.is_none() {
        fields.no_effect("early_data", "a client needs a ticket for it; `tickets` are off", problems);
    }
    Some(tls)
}

/// Bytes of a chain: it has two certificates at least; one above 64 KiB no client takes.
fn certificate(value: &Value, problems: &mut Problems) -> Option<usize> {
    let least = 2 * SMALLEST_CERTIFICATE as u64;
    let bytes = value::bytes(value, "`certificate`", least..=64 << 10, problems)?;
    usize::try_from(bytes).ok()
}

/// `["shop.example"]`, or `{ "shop.example": "4kB" }` with the bytes of each chain.
fn names(value: &Value, usual: usize, problems: &mut Problems) -> Vec<(String, usize)> {
    let mut given: Vec<(&str, Span, usize)> = Vec::new();
    if let Kind::List(items) = &value.kind {
        for item in items {
            let name = value::text(item, "a name", problems);
            given.extend(name.map(|name| (name, inner(item), usual)));
        }
    } else {
        for (name, span, entry) in named_entries(value, "`names`", problems) {
            given.push((name, span, certificate(entry, problems).unwrap_or(usual)));
        }
    }
    let mut names: Vec<(String, usize)> = Vec::new();
    for (name, span, bytes) in given {
        let text = name.trim_end_matches('.').to_ascii_lowercase();
        if name.parse::<Name>().is_err() {
            problems.add(
                Diagnostic::error(Code::BadName, span, format!("`{name}` is no domain name"))
                    .help("a certificate is for names such as `shop.example`"),
            );
        } else if names.iter().any(|(other, _)| *other == text) {
            problems.add(Diagnostic::error(Code::DuplicateName, span, format!("`{name}` has a certificate already")));
        } else {
            names.push((text, bytes));
        }
    }
    if names.is_empty() && !problems.has_errors() {
        problems.add(Diagnostic::error(Code::Empty, value.span, "there are no names").help("leave `names` out"));
    }
    names
}

/// The settings of users with a `tls` of their own. `once`: there is one connection only.
pub(super) fn client(value: &Value, once: bool, method: &str, problems: &mut Problems) -> client::Tls {
    let mut tls = client::Tls::BROWSER;
    let Some(fields) = Fields::open(&CLIENT, value, problems) else { return tls };
    (tls.min_version, tls.max_version) = versions(&fields, problems);
    for (name, field) in [("resumption", &mut tls.resumption), ("early_data", &mut tls.early_data)] {
        if let Some(value) = fields.get(name) {
            *field = value::flag(value, &format!("`{name}`"), problems).unwrap_or(*field);
        }
    }
    let why = if once {
        Some("there is one request, and no ticket from an earlier one")
    } else if tls.max_version == Version::Tls12 {
        Some("early data came with TLS 1.3")
    } else if !tls.resumption {
        Some("it needs a ticket; `resumption` is off")
    } else if !matches!(method, "GET" | "HEAD") {
        Some("only GET and HEAD are sent early: anybody can send them again")
    } else {
        None
    };
    if let (Some(why), true) = (why, tls.early_data) {
        fields.no_effect("early_data", why, problems);
    }
    if once {
        fields.no_effect("resumption", "there is one request, and no ticket from an earlier one", problems);
    }
    tls
}

fn versions(fields: &Fields<'_>, problems: &mut Problems) -> (Version, Version) {
    let table = [Version::Tls12, Version::Tls13].map(|version| (version.name(), version));
    let mut read = |name: &str, default: Version| {
        let value = fields.get(name);
        value.and_then(|value| value::named(value, "a TLS version", table.into_iter(), problems)).unwrap_or(default)
    };
    let (min, max) = (read("min_version", Version::Tls12), read("max_version", Version::Tls13));
    if min > max {
        let span = fields.get("min_version").map_or(fields.span, |value| value.span);
        problems.add(
            Diagnostic::error(Code::Contradiction, span, format!("no TLS version is at least {min} and at most {max}"))
                .help("exchange them"),
        );
        return (max, min);
    }
    (min, max)
}

/// Why users and a server cannot speak with each other, and what to do; `None` if they can.
pub(super) fn mismatch(
    node: &Node,
    domain: Option<&str>,
    users: Option<client::Tls>,
    server: Option<&server::Tls>,
) -> Option<(String, String)> {
    let name = &node.name;
    let whose = match &node.kind {
        NodeKind::Server(_) => Some("the server"),
        NodeKind::Balancer(balancer) if balancer.layer.sees_requests() => Some("the balancer"),
        NodeKind::Balancer(_) => Some("its servers"),
        _ => None,
    };
    match (users, server) {
        (None, None) => None,
        (Some(_), None) => {
            let help = match whose {
                Some(whose) => format!("write `http://`, or give {whose} `tls: ()`"),
                None => format!("write `http://`: {} speaks in the clear only", node.kind.described()),
            };
            Some((format!("`{name}` does not speak TLS"), help))
        }
        (None, Some(_)) => Some((
            format!("`{name}` speaks nothing but TLS"),
            format!("write `https://`, or take `tls` away from {}", whose.unwrap_or("the server")),
        )),
        (Some(users), Some(server)) => {
            let common = users.min_version.max(server.min_version) <= users.max_version.min(server.max_version);
            let range =
                |min: Version, max: Version| if min == max { format!("{min}") } else { format!("{min} to {max}") };
            let known = |domain: &&str| !server.names.iter().any(|(own, _)| own == domain);
            if let (false, Some(domain)) = (server.names.is_empty(), domain.filter(known)) {
                return Some((
                    format!("`{name}` has no certificate for `{domain}`"),
                    "add the name to its `tls: (names: [..])`".to_owned(),
                ));
            }
            (!common).then(|| {
                (
                    format!(
                        "users speak TLS {}, `{name}` speaks TLS {}",
                        range(users.min_version, users.max_version),
                        range(server.min_version, server.max_version)
                    ),
                    "let `min_version` and `max_version` of both have a version in common".to_owned(),
                )
            })
        }
    }
}
