//! Balancers: whom they balance, what they look at, and what they do about backends that fail.

pub(super) mod policy;
mod rules;

use super::form::{Fields, Form, joined, list, similar};
use super::nodes::Nodes;
use super::{Problems, backends, inner, named_entries, tls, value};
use crate::base::Time;
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{BackendPool, Balancer, NodeKind, Plan, Target};
use crate::service::balancer::outlier::Outliers;
use crate::service::balancer::{Check, Layer, Match, Pool, Probe, Return, Route};
pub(super) use rules::check;

/// What is said of a pool, in the balancer itself or in an entry of `pools`.
const OF_POOL: &[&str] = &[
    "to",
    "policy",
    "weights",
    "health",
    "outliers",
    "slow_start",
    "panic",
    "drain",
    "sticky",
    "connections",
    "warm",
    "idle",
    "timeout",
    "retries",
    "retry_errors",
    "upstream_tls",
];
const FRONT: &[&str] = &["at", "count", "layer", "port", "tls"];
const MORE: &[&str] = &["pools", "routes", "backlog", "tcp"];

pub(super) static BALANCER: Form =
    Form { name: "Balancer", fields: &joined::<{ FRONT.len() + OF_POOL.len() + MORE.len() }>(&[FRONT, OF_POOL, MORE]) };
static POOL: Form = Form { name: "backend-pool", fields: OF_POOL };
static L7: Form = Form { name: "L7", fields: &["idle"] };
static L4: Form = Form { name: "L4", fields: &["back", "idle"] };
static ROUTE: Form = Form { name: "balancer-route", fields: &["path", "header", "cookie", "pool"] };
static HEALTH_TCP: Form = Form { name: "health-tcp", fields: &["every", "timeout", "fall", "rise"] };
static HEALTH_HTTP: Form = Form { name: "health-http", fields: &["path", "every", "timeout", "fall", "rise"] };
static OUTLIERS: Form = Form { name: "outliers", fields: &["consecutive", "interval", "base", "longest", "share"] };

pub(super) const FORMS: &[&Form] = &[
    &BALANCER,
    &L7,
    &L4,
    &POOL,
    &ROUTE,
    &HEALTH_TCP,
    &HEALTH_HTTP,
    &OUTLIERS,
    &policy::PEAK_EWMA,
    &policy::CONSISTENT_HASH,
    &policy::MAGLEV,
    &policy::SUBSET,
];

/// Fields that mean something only where requests are seen.
const REQUESTS_ONLY: &[&str] =
    &["sticky", "connections", "warm", "idle", "timeout", "retries", "retry_errors", "upstream_tls"];

/// Reads every balancer, now that all nodes have their numbers.
pub(super) fn read(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    for group in &nodes.groups {
        let Some(entry) = group.balancer else { continue };
        // Unknown fields were reported when the node was read.
        let Some(fields) = Fields::open(&BALANCER, entry, &mut Problems::default()) else { continue };
        let Some(balancer) = balancer(&fields, nodes, plan, problems) else { continue };
        for (instance, &member) in (0..).zip(&group.members) {
            plan.nodes[member as usize].kind = NodeKind::Balancer(Balancer { instance, ..balancer.clone() });
        }
    }
}

fn balancer(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<Balancer> {
    let mut made = Balancer::unread();
    let before = problems.0.len();
    if let Some(value) = fields.get("layer") {
        made.layer = layer(value, problems).unwrap_or(made.layer);
    }
    let requests = made.layer.sees_requests();
    if requests {
        made.tls = fields.get("tls").and_then(|value| tls::server(value, problems));
    }
    if made.tls.is_some() {
        made.port = 443;
    }
    if let Some(value) = fields.get("port") {
        let port = value::whole(value, "`port`", 1..=65_535, problems);
        made.port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(made.port);
    }
    if let Some(value) = fields.get("backlog") {
        let backlog = value::whole(value, "`backlog`", 1..=1_000_000, problems);
        made.backlog = backlog.and_then(|n| u32::try_from(n).ok()).unwrap_or(made.backlog);
    }
    if !requests {
        fields.no_effect("tls", "an L4 balancer passes TLS through; it ends at the servers", problems);
        for name in REQUESTS_ONLY.iter().chain(&["pools", "routes", "backlog"]) {
            fields.no_effect(name, "an L4 balancer sees packets, not requests", problems);
        }
    }
    if fields.get("to").is_some() {
        made.pools.extend(pool("default", fields, made.layer, nodes, plan, problems));
        made.default = Some(0);
    } else if fields.get("pools").is_none() || !requests {
        fields.need("to", "\"servers\"", problems);
        return None;
    }
    if requests {
        if let Some(value) = fields.get("pools") {
            for (name, _, entry) in named_entries(value, "pools", problems) {
                let Some(fields) = Fields::open(&POOL, entry, problems) else { continue };
                made.pools.extend(pool(name, &fields, made.layer, nodes, plan, problems));
            }
        }
        if let Some(value) = fields.get("routes") {
            made.routes = routes(value, &made.pools, problems);
        } else if made.default.is_none() && made.pools.len() == 1 {
            made.default = Some(0);
        }
        unreached(fields, &made, problems);
    }
    (!problems.0[before..].iter().any(Diagnostic::is_error)).then_some(made)
}

/// Warns of pools that no request comes to.
fn unreached(fields: &Fields<'_>, made: &Balancer, problems: &mut Problems) {
    let reached = |index: usize| made.default == Some(index) || made.routes.iter().any(|route| route.pool == index);
    let Some(idle) = (0..made.pools.len()).find(|&index| !reached(index)) else { return };
    let (Some(value), false) = (fields.get("pools"), problems.has_errors()) else { return };
    let name = &made.pools[idle].settings.name;
    problems.add(
        Diagnostic::warning(Code::NoEffect, value.span, format!("no request comes to the pool `{name}`"))
            .help(format!("add to `routes`: (path: \"/{name}/*\", pool: \"{name}\")")),
    );
}

fn layer(value: &Value, problems: &mut Problems) -> Option<Layer> {
    let name = value::choice(value, "`layer`", &["L7", "L4"], problems)?;
    let fields = Fields::open(if name == "L7" { &L7 } else { &L4 }, value, problems)?;
    let idle = fields.get("idle").map(|value| value::positive_span(value, "`idle`", problems));
    let idle = idle.map_or(Some(None), |idle| idle.map(Some))?;
    if name == "L7" {
        return Some(Layer::L7 { idle: idle.unwrap_or(Layer::IDLE) });
    }
    let back = match fields.get("back") {
        None => Return::Nat,
        Some(value) => match value::word(value, "`back`", &["Nat", "Direct"], problems)? {
            "Nat" => Return::Nat,
            _ => Return::Direct,
        },
    };
    Some(Layer::L4 { back, idle: idle.unwrap_or(Layer::FORGET) })
}

/// One pool: the balancer's own fields, or an entry of `pools`.
fn pool(
    name: &str,
    fields: &Fields<'_>,
    layer: Layer,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<BackendPool> {
    let targets = targets(fields, nodes, plan, problems);
    pool_of(name, fields, layer, targets, plan, problems)
}

/// A pool of these members, as far as the form of its owner has fields for it.
pub(super) fn pool_of(
    name: &str,
    fields: &Fields<'_>,
    layer: Layer,
    targets: Option<Vec<Target>>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<BackendPool> {
    let mut settings = Pool::new(name, Vec::new());
    if let Some(value) = fields.get("policy") {
        settings.algorithm = policy::read(value, layer, problems)?;
    }
    settings.check = fields.get("health").and_then(|value| check_of(value, problems));
    settings.outliers = fields.get("outliers").and_then(|value| outliers(value, problems));
    let mut span = |name: &str| {
        let value = fields.get_if(name)?;
        value::positive_span(value, &format!("`{name}`"), problems)
    };
    settings.slow_start = span("slow_start");
    settings.idle = span("idle").unwrap_or(settings.idle);
    settings.timeout = span("timeout").unwrap_or(settings.timeout);
    if let Some(value) = fields.get_if("panic") {
        settings.panic = value::ratio(value, "`panic`", problems).unwrap_or(settings.panic);
    }
    if let Some(value) = fields.get_if("sticky") {
        settings.sticky = value::token(value, "a cookie's name", problems);
    }
    if let Some(value) = fields.get("connections") {
        let most = value::whole(value, "`connections`", 1..=1_000_000, problems);
        settings.connections = most.and_then(|n| usize::try_from(n).ok());
    }
    if let Some(value) = fields.get("retries") {
        let retries = value::whole(value, "`retries`", 0..=100, problems);
        settings.retries = retries.and_then(|n| u32::try_from(n).ok()).unwrap_or(settings.retries);
    }
    if let Some(value) = fields.get("retry_errors") {
        settings.retry_errors = value::flag(value, "`retry_errors`", problems).unwrap_or(false);
    }
    if let Some(value) = fields.get_if("warm") {
        let warm = value::whole(value, "`warm` (connections)", 0..=10_000, problems);
        settings.warm = warm.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    }
    let targets = targets?;
    if layer.sees_requests() {
        upstream(fields, &mut settings, &targets, plan, problems);
    }
    rules::sensible(fields, &settings, layer, &targets, problems);
    Some(BackendPool { settings, targets })
}

/// How the pool asks those of its members who speak TLS.
fn upstream(fields: &Fields<'_>, settings: &mut Pool, targets: &[Target], plan: &Plan, problems: &mut Problems) {
    let Some(value) = fields.get_if("upstream_tls") else { return };
    settings.upstream = tls::client(value, false, "POST", problems);
    if !targets.iter().any(|target| target.tls) {
        fields.no_effect("upstream_tls", "no backend speaks TLS: all are asked in the clear", problems);
    }
    for node in targets.iter().map(|target| &plan.nodes[target.node as usize]) {
        let NodeKind::Server(server) = &node.kind else { continue };
        let found = server.tls.as_ref().and_then(|tls| tls::mismatch(node, None, Some(settings.upstream), Some(tls)));
        if let Some((message, help)) = found {
            let message = message.replace("users speak", "the balancer speaks");
            problems.add(
                Diagnostic::error(Code::Contradiction, value.span, message)
                    .also(node.declared, "declared here")
                    .help(help),
            );
            return;
        }
    }
}

static WORDS: backends::Words = backends::Words {
    within: "the pool",
    once: "name it once; `weights` give it more",
    nobody: "the pool has no members",
};

/// The members: servers that listen on one port, with their weights and when they are taken out.
fn targets(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<Vec<Target>> {
    let value = fields.need("to", "\"servers\"", problems)?;
    let target = |node: u32, value: &Value, problems: &mut Problems| {
        let server = &plan.nodes[node as usize];
        let NodeKind::Server(config) = &server.kind else {
            problems.add(
                Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no server", server.name))
                    .also(server.declared, server.kind.described())
                    .help("a balancer's backends are nodes declared as `Server(..)`"),
            );
            return None;
        };
        Some(Target { node, port: config.port, tls: config.tls.is_some(), weight: 1, drain: None })
    };
    let mut targets = backends::read(value, &WORDS, nodes, plan, problems, target)?;
    for (name, entry) in ["weights", "drain"].into_iter().filter_map(|name| Some((name, fields.get(name)?))) {
        if matches!(&entry.kind, Kind::Map(entries) if entries.is_empty()) {
            fields.no_effect(name, "it names nobody", problems);
        }
        for (member, span, entry) in named_entries(entry, &format!("`{name}`"), problems) {
            let Some(found) = nodes.find_name(member, span, problems) else { continue };
            let mut any = false;
            for target in targets.iter_mut().filter(|target| found.contains(&target.node)) {
                any = true;
                if name == "weights" {
                    let weight = value::whole(entry, "a weight", 1..=1_000, problems);
                    target.weight = weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1);
                } else {
                    target.drain = value::span(entry, "an instant", problems).map(|span| Time::ZERO + span);
                    let end = Time::ZERO + plan.run_for;
                    if target.drain.is_some_and(|drain| drain >= end) {
                        let message = format!("it is never drained: the run ends after {}", plan.run_for);
                        problems.add(
                            Diagnostic::warning(Code::NeverStarts, entry.span, message)
                                .help("drain it earlier, or give the scenario a longer `run_for`"),
                        );
                    }
                }
            }
            if !any {
                problems.add(
                    Diagnostic::error(Code::Contradiction, span, format!("`{member}` is not in this pool"))
                        .also(value.span, "its members")
                        .help("name a member of `to`"),
                );
            }
        }
    }
    Some(targets)
}

pub(super) fn check_of(value: &Value, problems: &mut Problems) -> Option<Check> {
    let kind = value::choice(value, "`health`", &["Tcp", "Http"], problems)?;
    let fields = Fields::open(if kind == "Tcp" { &HEALTH_TCP } else { &HEALTH_HTTP }, value, problems)?;
    let probe = if kind == "Tcp" {
        Probe::Tcp
    } else {
        let path = fields.get("path").map_or(Some("/"), |value| value::path(value, problems))?;
        Probe::Http { path: path.to_owned() }
    };
    let mut check = Check::new(probe);
    if let Some(value) = fields.get("every") {
        check.every = value::positive_span(value, "`every`", problems)?;
    }
    check.timeout = match fields.get("timeout") {
        Some(value) => value::positive_span(value, "`timeout`", problems)?,
        None => check.timeout.min(check.every),
    };
    if check.timeout > check.every {
        problems.add(
            Diagnostic::error(
                Code::Contradiction,
                fields.span,
                format!("a check may take {} and the next begins after {}", check.timeout, check.every),
            )
            .help("`timeout` is at most `every`"),
        );
        return None;
    }
    for (name, field) in [("fall", &mut check.fall), ("rise", &mut check.rise)] {
        if let Some(value) = fields.get(name) {
            let times = value::whole(value, &format!("`{name}`"), 1..=1_000, problems)?;
            *field = u32::try_from(times).unwrap_or(*field);
        }
    }
    Some(check)
}

fn outliers(value: &Value, problems: &mut Problems) -> Option<Outliers> {
    let mut rules = Outliers::new();
    match value.kind {
        Kind::Bool(true) => return Some(rules),
        Kind::Bool(false) => return None,
        _ => {}
    }
    let fields = Fields::open(&OUTLIERS, value, problems)?;
    if let Some(value) = fields.get("consecutive") {
        let times = value::whole(value, "`consecutive`", 1..=100_000, problems)?;
        rules.consecutive = u32::try_from(times).unwrap_or(rules.consecutive);
    }
    for (name, field) in [("interval", &mut rules.interval), ("base", &mut rules.base), ("longest", &mut rules.longest)]
    {
        if let Some(value) = fields.get(name) {
            *field = value::positive_span(value, &format!("`{name}`"), problems)?;
        }
    }
    if let Some(value) = fields.get("share") {
        rules.share = value::ratio(value, "`share`", problems)?;
    }
    if rules.longest < rules.base {
        problems.add(
            Diagnostic::error(Code::Contradiction, fields.span, "the longest ejection is shorter than the first")
                .help("`longest` is at least `base`"),
        );
        return None;
    }
    Some(rules)
}

fn routes(value: &Value, pools: &[BackendPool], problems: &mut Problems) -> Vec<Route> {
    let Kind::List(items) = &value.kind else {
        value::wrong::<()>(value, "`routes` is a list: [(path: \"/api/*\", pool: \"api\")]", problems);
        return Vec::new();
    };
    let mut made: Vec<(Span, Route)> = Vec::new();
    for item in items {
        let Some(route) = route(item, pools, problems) else { continue };
        if let Some((first, _)) = made.iter().find(|(_, earlier)| rules::takes_all_of(earlier, &route)) {
            problems.add(
                Diagnostic::warning(
                    Code::NoEffect,
                    item.span,
                    "no request comes to this route: one before it takes them all",
                )
                .also(*first, "this one")
                .help("the first route that fits is taken: put the narrower one first"),
            );
        }
        made.push((item.span, route));
    }
    made.into_iter().map(|(_, route)| route).collect()
}

fn route(item: &Value, pools: &[BackendPool], problems: &mut Problems) -> Option<Route> {
    let fields = Fields::open(&ROUTE, item, problems)?;
    let mut when = Vec::new();
    if let Some(value) = fields.get("path") {
        let path = value::text(value, "a path", problems)?;
        if !path.starts_with('/') && path != "*" {
            problems.add(
                Diagnostic::error(Code::OutOfRange, value.span, format!("the path `{path}` does not begin with `/`"))
                    .help("`*` at its end stands for everything that begins with the rest"),
            );
            return None;
        }
        value::pattern(value, path, problems);
        when.push(Match::Path(path.to_owned()));
    }
    for name in ["header", "cookie"] {
        let Some(value) = fields.get(name) else { continue };
        let (found, wanted) = match &value.kind {
            Kind::Tuple { items, .. } if items.len() == 2 => {
                (&items[0], Some(value::text(&items[1], "a value", problems)?))
            }
            Kind::Text(_) => (value, None),
            _ => {
                return value::wrong(
                    value,
                    &format!("`{name}` is a name, or a name and a value: (\"x\", \"1\")"),
                    problems,
                );
            }
        };
        let found = value::token(found, "the name of a header field or a cookie", problems)?;
        let wanted = wanted.map(str::to_owned);
        when.push(if name == "header" { Match::Header(found, wanted) } else { Match::Cookie(found, wanted) });
    }
    if when.is_empty() {
        problems.add(
            Diagnostic::error(Code::Empty, item.span, "this route has no condition")
                .help("give it `path`, `header` or `cookie`; requests without a route go to the balancer's own `to`"),
        );
        return None;
    }
    let value = fields.need("pool", "\"api\"", problems)?;
    let name = value::text(value, "a pool", problems)?;
    if let Some(pool) = pools.iter().position(|pool| pool.settings.name == name) {
        return Some(Route { when, pool });
    }
    let known: Vec<&str> = pools.iter().map(|pool| &*pool.settings.name).collect();
    let diagnostic = Diagnostic::error(Code::UnknownPool, inner(value), format!("no pool is called `{name}`"));
    problems.add(match similar(name, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.help("declare it in `pools`"),
        None => diagnostic.help(format!("the pools are {}", list(&known))),
    });
    None
}
