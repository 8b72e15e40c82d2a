//! Header fields and cookies of a scenario's own choosing, in the requests of users and of servers' calls.

use crate::app::http1::{is_token, is_value_byte};
use crate::scenario::ast::{Kind, Span};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{NodeKind, Plan};
use crate::scenario::schema::form::Fields;
use crate::scenario::schema::{Problems, inner, named_entries, value};
use crate::service::server::{DEADLINE, time_left};

/// Fields that say what the simulation itself does, and what to write instead.
const OWN: &[(&str, &str)] = &[
    ("Host", "the host is that of the URL in `to`"),
    ("Connection", "write `connection: Fresh` or `Pool(..)`"),
    ("Content-Length", "give the request a `body`"),
    ("Transfer-Encoding", "bodies have a known length"),
    ("Cookie", "write `cookies: { \"name\": \"value\" }`"),
    ("Idempotency-Key", "write `idempotency_key: true`"),
    ("Payment-Amount-Cents", "write `pays: 1999`"),
    ("If-Match", "write `conditional: true`"),
    ("Expect", "bodies are sent at once"),
    ("Upgrade", "only HTTP/1.1 is spoken on these connections"),
];

/// `headers: { "X-Group": "beta" }`.
pub(super) fn headers(fields: &Fields<'_>, problems: &mut Problems) -> Vec<(String, String)> {
    let Some(value) = fields.get("headers") else { return Vec::new() };
    if matches!(&value.kind, Kind::Map(entries) if entries.is_empty()) {
        fields.no_effect("headers", "it holds none", problems);
    }
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, span, entry) in named_entries(value, "`headers`", problems) {
        let Some(text) = value::text(entry, "the value of a header field", problems) else { continue };
        if !is_token(name.as_bytes()) {
            problems.add(
                Diagnostic::error(Code::BadName, span, format!("`{name}` cannot be the name of a header field"))
                    .help("it consists of letters, digits and `-`, `_`, `.`"),
            );
        } else if let Some((own, instead)) = OWN.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            problems.add(
                Diagnostic::error(Code::Contradiction, span, format!("`{own}` follows from other fields"))
                    .help(*instead),
            );
        } else if all.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            problems.add(Diagnostic::error(
                Code::DuplicateName,
                span,
                format!("`{name}` is there already: names of fields have no case"),
            ));
        } else if !text.bytes().all(is_value_byte) || text.trim() != text {
            problems.add(
                Diagnostic::error(Code::BadName, inner(entry), "this cannot be the value of a header field")
                    .help("it has no line ends or control characters, and no spaces at its ends"),
            );
        } else {
            if name.eq_ignore_ascii_case(DEADLINE) {
                deadline(fields, span, (text, inner(entry)), problems);
            }
            all.push((name.to_owned(), text.to_owned()));
        }
    }
    all
}

/// Reports a deadline of the scenario's own choosing beside the one that requests say anyway, and one that no server can read.
fn deadline(fields: &Fields<'_>, name: Span, (text, value): (&str, Span), problems: &mut Problems) {
    match fields.get("deadline") {
        Some(flag) if matches!(flag.kind, Kind::Bool(true)) => problems.add(
            Diagnostic::error(Code::Contradiction, name, format!("`{DEADLINE}` would be said twice"))
                .also(flag.span, "this says it with each try")
                .help("keep one of them: `deadline: true` says what is left, the header field always the same"),
        ),
        _ if time_left(text).is_none() => problems.add(
            Diagnostic::warning(Code::NoEffect, value, format!("no server reads `{text}` as a time")).help(
                "it is at most eight digits and one of the units H, M, S, m, u and n: \"500m\" for half a second",
            ),
        ),
        _ => {}
    }
}

/// `true`, `false`, or those that users have from the start: `{ "beta": "1" }`.
pub(super) fn cookies(fields: &Fields<'_>, problems: &mut Problems) -> Option<Vec<(String, String)>> {
    let Some(value) = fields.get("cookies") else { return Some(Vec::new()) };
    match value.kind {
        Kind::Bool(true) => return Some(Vec::new()),
        Kind::Bool(false) => return None,
        _ => {}
    }
    let mut all = Vec::new();
    for (name, span, entry) in named_entries(value, "`cookies`", problems) {
        let Some(text) = value::text(entry, "the value of a cookie", problems) else { continue };
        // RFC 6265 4.1.1: no spaces, quotes, commas, semicolons, backslashes.
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        if is_token(name.as_bytes()) && text.bytes().all(fits) {
            all.push((name.to_owned(), text.to_owned()));
        } else {
            problems.add(
                Diagnostic::error(Code::BadName, span, format!("`{name}={text}` cannot be a cookie"))
                    .help("both consist of letters, digits and signs, without spaces, quotes, commas and semicolons"),
            );
        }
    }
    Some(all)
}

/// Warns of cookies that nobody sets.
pub(super) fn check(fields: &Fields<'_>, targets: &[u32], plan: &Plan, problems: &mut Problems) {
    let asked_for = fields.get_if("cookies").is_some_and(|value| matches!(value.kind, Kind::Bool(true)));
    let sticky = targets.iter().any(|&node| match &plan.nodes[node as usize].kind {
        NodeKind::Balancer(balancer) => balancer.pools.iter().any(|pool| pool.settings.sticky.is_some()),
        _ => false,
    });
    let sessions = plan.servers_reached(targets).iter().any(|(_, config)| config.session.is_some());
    if asked_for && !sticky && !sessions {
        fields.no_effect(
            "cookies",
            "nobody who is asked sets any; give a server a `session`, or a balancer `sticky`",
            problems,
        );
    }
}
