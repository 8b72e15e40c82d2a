//! The URL of requests: which nodes it means, by name of a zone, by name of a node or by name of a service.

use super::Reading;
use crate::app::dns::Name;
use crate::scenario::ast::{Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Discovery, End, NodeKind, Plan, ROOT};
use crate::scenario::schema::form::similar;
use crate::scenario::schema::{Problems, inner, registry, value};
use crate::scenario::suggest::choices;
use crate::service::client::Tls;
use std::collections::BTreeSet;

/// What a URL says.
pub(super) struct Target {
    /// The host as it is written.
    pub(super) host: String,
    /// A name of a zone, and where it may lead; otherwise nodes.
    pub(super) name: Option<String>,
    /// The name of a service at a registry, whose instances are asked.
    pub(super) service: Option<String>,
    /// As the scenario names them.
    pub(super) named: Vec<u32>,
    /// The machines that they may turn out to be.
    pub(super) nodes: Vec<u32>,
    pub(super) port: u16,
    pub(super) tls: Option<Tls>,
    pub(super) path: String,
}

/// Reads a URL, or the name of a node or a service for short.
pub(super) fn read(
    value: &Value,
    reading: &Reading<'_, '_>,
    discovery: Option<&Discovery>,
    problems: &mut Problems,
) -> Option<Target> {
    let url = value::text(value, "`to`", problems)?;
    let span = inner(value);
    let Some((scheme, rest)) = url.split_once("://") else {
        // The name of a node, or of a service, for short.
        let named = match discovery {
            Some(discovery) => registry::instances(url, span, discovery, reading.plan, problems)?,
            None => reading.nodes.find_name(url, span, problems)?.to_vec(),
        };
        let nodes = machines(&named, reading.plan);
        let service = discovery.map(|_| url.to_owned());
        // Its scheme is what it speaks.
        let tls = nodes.iter().all(|&node| reading.plan.terminates_tls(node).is_some()).then_some(Tls::BROWSER);
        let port = if tls.is_some() { 443 } else { 80 };
        return Some(Target {
            host: url.to_owned(),
            name: None,
            service,
            named,
            nodes,
            port,
            tls,
            path: "/".to_owned(),
        });
    };
    let (tls, usual_port) = match scheme {
        "http" => (None, 80),
        "https" => (Some(Tls::BROWSER), 443),
        other => {
            problems.add(
                Diagnostic::error(Code::Unsupported, span, format!("`{other}` is no scheme for HTTP requests"))
                    .help("write `https://name/path` or `http://name/path`"),
            );
            return None;
        }
    };
    if let Some((_, fragment)) = rest.split_once('#') {
        problems.add(
            Diagnostic::error(Code::BadName, span, format!("`#{fragment}` is not sent: it stays with who asks"))
                .help("leave it out"),
        );
        return None;
    }
    // A member of a group has a `/` in its name: it stands in brackets, as an address with colons does (RFC 3986 3.2.2).
    let (authority, path) = match rest.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => rest.split_at(rest[end..].find('/').map_or(rest.len(), |at| end + at)),
        None => rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)),
    };
    let path = if path.is_empty() { "/" } else { path };
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => {
            let Ok(port @ 1..) = port.parse::<u16>() else {
                problems.add(
                    Diagnostic::error(Code::OutOfRange, span, format!("`{port}` is no port"))
                        .help("a port is a number from 1 to 65535"),
                );
                return None;
            };
            (host, port)
        }
        None => (authority, usual_port),
    };
    if host.is_empty() {
        problems.add(Diagnostic::error(Code::BadName, span, "the URL names no host").help("write `http://name/path`"));
        return None;
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        problems.add(
            Diagnostic::error(Code::BadName, span, "the path contains what a URL cannot hold")
                .help("write spaces as `%20` and letters outside ASCII percent-encoded"),
        );
        return None;
    }
    let member = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let (name, named) = match (discovery, member) {
        (Some(discovery), _) => (None, registry::instances(host, span, discovery, reading.plan, problems)?),
        (None, Some(member)) => (None, reading.nodes.find_name(member, span, problems)?.to_vec()),
        (None, None) => origin(host, span, reading, problems)?,
    };
    let nodes = machines(&named, reading.plan);
    if discovery.is_none() {
        member_or_path(host, path, &named, span, reading, problems);
    }
    let service = discovery.map(|_| host.to_owned());
    Some(Target { host: host.to_owned(), name, service, named, nodes, port, tls, path: path.to_owned() })
}

/// The machines that nodes may turn out to be, each once.
fn machines(named: &[u32], plan: &Plan) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    named.iter().flat_map(|node| plan.machines(node)).copied().filter(|&node| seen.insert(node)).collect()
}

/// Warns of a path that looks like the number of a member: `http://shop/2` asks all members of `shop` for `/2`.
fn member_or_path(
    host: &str,
    path: &str,
    nodes: &[u32],
    span: Span,
    reading: &Reading<'_, '_>,
    problems: &mut Problems,
) {
    let (first, rest) = path[1..].split_once('/').map_or((&path[1..], ""), |(first, rest)| (first, rest));
    let name = format!("{host}/{first}");
    let member = reading.nodes.named(&name).filter(|_| nodes.len() > 1);
    let Some(NodeKind::Server(server)) = member.map(|member| &reading.plan.nodes[member[0] as usize].kind) else {
        return;
    };
    // Whoever gives such a path a route of its own knows what it is.
    if server.routes.iter().all(|route| !path.starts_with(route.path.trim_end_matches('*')) || route.path.len() <= 2) {
        problems.add(
            Diagnostic::warning(Code::MemberOrPath, span, format!("all members of `{host}` are asked for `{path}`"))
                .help(format!("for the member `{name}` write `http://[{name}]/{rest}`")),
        );
    }
}

/// The host of a URL: a name of a zone, or else a node.
fn origin(
    host: &str,
    span: Span,
    reading: &Reading<'_, '_>,
    problems: &mut Problems,
) -> Option<(Option<String>, Vec<u32>)> {
    let plan = reading.plan;
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if let End::At(targets) = plan.follow(&name).end {
        return Some((Some(name), targets));
    }
    if plan.records_of(&name).next().is_some() {
        // An alias that leads nowhere, which is said where it stands.
        return None;
    }
    if let Some(nodes) = reading.nodes.named(host) {
        return Some((None, nodes.to_vec()));
    }
    let message = match plan.zone_of(&name) {
        Some(zone) if zone.apex != ROOT && name.parse::<Name>().is_ok() => {
            format!("the zone `{}` has no address for `{host}`", zone.apex)
        }
        _ => format!("`{host}` is in no zone, and no node is called so"),
    };
    let known = plan.zones.iter().flat_map(|zone| &zone.records).map(|record| &*record.name);
    let known: Vec<&str> =
        known.filter(|&other| other != name && matches!(plan.follow(other).end, End::At(_))).collect();
    let names = reading.nodes.groups.iter().map(|group| group.name);
    let help = match similar(host, known.iter().copied().chain(names)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => {
            format!(
                "add `zones: {{ \"{host}\": (A: [\"node\"]) }}`, or write a node's name: it is asked without a lookup"
            )
        }
        None => choices("names in zones", known),
    };
    problems.add(Diagnostic::error(Code::UnknownHost, span, message).help(help));
    None
}

/// Warns of what a purge does not understand as its author may: a `*` that is not at the end, and a query.
pub(super) fn pattern(target: &Target, to: &Value, numbered: bool, problems: &mut Problems) {
    let (path, query) = target.path.split_once('?').map_or((&*target.path, None), |(path, query)| (path, Some(query)));
    let before = if numbered { path } else { path.strip_suffix('*').unwrap_or(path) };
    let found = if before.contains('*') {
        let beginning = before.split('*').next().unwrap_or_default();
        let what = if numbered { "the number of an object follows" } else { "it is not at the end" };
        Some((format!("this `*` stands for itself: {what}"), format!("purge `{beginning}*`, or each path by its name")))
    } else {
        let message = |query| format!("`?{query}` has no effect: a purge takes a path with all its queries");
        query.map(|query| (message(query), format!("write `{path}`")))
    };
    if let Some((message, help)) = found {
        problems.add(Diagnostic::warning(Code::NoEffect, inner(to), message).help(help));
    }
}
