//! What servers ask of others: each call is a traffic of its own, whose requests come when its server makes them.

use super::http::{self, ASKING, Pairing};
use super::{Reading, queue};
use crate::base::Time;
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Http, NodeKind, Origin, Plan, Traffic, TrafficKind};
use crate::scenario::schema::form::{Fields, Form, joined};
use crate::scenario::schema::nodes::Nodes;
use crate::scenario::schema::{Problems, inner, server, value};
use crate::service::server::{Call, DEADLINE, Stage};
use std::collections::BTreeSet;

const CALLS: &[&str] = &["name", "to", "tls", "count", "pairing", "optional"];

pub(in crate::scenario::schema) static CALL: Form =
    Form { name: "call", fields: &joined::<{ CALLS.len() + ASKING.len() }>(&[CALLS, ASKING]) };

/// A call where it is written.
pub(super) struct Written<'a> {
    /// The server: index of its group.
    group: usize,
    /// The route, or the default for all.
    route: Option<usize>,
    stage: usize,
    value: &'a Value,
    fields: Fields<'a>,
    /// Its own name, or one after both ends.
    pub(super) name: String,
    /// Where that stands.
    pub(super) span: Span,
}

/// A call as part of the plan.
pub(super) struct Placed {
    group: usize,
    route: Option<usize>,
    stage: usize,
    call: Call,
}

/// All calls of all servers.
pub(super) fn collect<'a>(nodes: &Nodes<'a>, problems: &mut Problems) -> Vec<Written<'a>> {
    let mut all = Vec::new();
    for (group, declared) in nodes.groups.iter().enumerate() {
        for server::Calls { route, value } in &declared.calls {
            for (stage, value) in stages(value, problems) {
                let Some(fields) = Fields::open(&CALL, value, problems) else { continue };
                let (name, span) = match fields.get("name") {
                    Some(value) => {
                        let Some(name) = value::text(value, "the name of a call", problems) else { continue };
                        (name.to_owned(), inner(value))
                    }
                    None => (usual_name(declared.name, &fields), value.span),
                };
                all.push(Written { group, route: *route, stage, value, fields, name, span });
            }
        }
    }
    all
}

/// `shop-db` for what `shop` asks of `http://db/row`.
fn usual_name(from: &str, fields: &Fields<'_>) -> String {
    let to = match fields.get("to").map(|value| &value.kind) {
        Some(Kind::Text(url)) => url.split_once("://").map_or(url.as_str(), |(_, rest)| rest),
        _ => "",
    };
    // A member in brackets: its name without what names of traffic do not have.
    let host = match to.strip_prefix('[').and_then(|to| to.split(']').next()) {
        Some(member) => member.replace('/', "-"),
        None => to.split(['/', ':']).next().unwrap_or_default().to_owned(),
    };
    format!("{from}-{host}")
}

/// The calls of a list with the number of their stage: items come one after the other, those of a `Parallel` at the same time.
fn stages<'a>(value: &'a Value, problems: &mut Problems) -> Vec<(usize, &'a Value)> {
    if let Some(items) = parallel(value) {
        return items.iter().map(|item| (0, item)).collect();
    }
    let Kind::List(items) = &value.kind else {
        value::wrong::<()>(
            value,
            "`calls` is a list: [(to: \"http://db/row\"), Parallel([(to: ..), (to: ..)])]",
            problems,
        );
        return Vec::new();
    };
    let each = |(stage, item): (usize, &'a Value)| -> Vec<(usize, &'a Value)> {
        match parallel(item) {
            Some([]) => {
                problems.add(
                    Diagnostic::error(Code::Empty, item.span, "nothing is called at the same time here")
                        .help("leave this `Parallel` out"),
                );
                Vec::new()
            }
            Some(items) => items.iter().map(|item| (stage, item)).collect(),
            None => vec![(stage, item)],
        }
    };
    items.iter().enumerate().flat_map(each).collect()
}

/// The items of `Parallel([..])`.
fn parallel(value: &Value) -> Option<&[Value]> {
    match &value.kind {
        Kind::Tuple { items, .. } if value.variant() == Some("Parallel") => match items.as_slice() {
            [Value { kind: Kind::List(items), .. }] => Some(items),
            _ => None,
        },
        _ => None,
    }
}

/// The traffic that a call is, and its place at its server. `index` is what the traffic's number will be.
pub(super) fn read(
    call: &Written<'_>,
    index: u32,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<(Traffic, Placed)> {
    let fields = &call.fields;
    let reading = Reading { name: &call.name, fields, nodes, plan, start: Time::ZERO, port: 0 };
    let pairing = match fields.get("pairing") {
        None => Pairing::All,
        Some(value) => match value::word(value, "`pairing` of a call", &["AllToAll", "Even"], problems)? {
            "Even" => Pairing::Dealt,
            _ => Pairing::All,
        },
    };
    let from = &nodes.groups[call.group].members;
    let dscp = fields.get("dscp").and_then(|value| queue::dscp(value, problems)).unwrap_or_default();
    let count = fields.get("count").map_or(Some(1), |value| value::whole(value, "`count`", 1..=10_000, problems));
    let optional = fields.get("optional").map_or(Some(false), |value| value::flag(value, "`optional`", problems));
    let mut http = http::asking(&reading, Some(from), false, pairing, problems)?;
    // Programs do not send what browsers do.
    http.head_bytes = http.head_bytes.or(Some(PROGRAM_HEAD));
    passed_on(call, &http, from, plan, problems);
    match http.asks.first().map(|ask| &ask.origin) {
        Some(Origin::Node(_)) if from.len() > 1 || http.asks.len() > 1 => {}
        Some(Origin::Node(_)) => fields.no_effect("pairing", "both ends are single nodes", problems),
        _ => fields.no_effect("pairing", "everybody asks for the same name", problems),
    }
    let count = u32::try_from(count?).ok()?;
    let placed = Placed {
        group: call.group,
        route: call.route,
        stage: call.stage,
        call: Call { traffic: index, count, optional: optional? },
    };
    let kind = TrafficKind::Http(http);
    let traffic = Traffic { name: call.name.clone(), declared: call.value.span, start: Time::ZERO, dscp, kind };
    Some((traffic, placed))
}

/// Reports a deadline of the scenario's own choosing in calls of a server that passes on what it has been told.
fn passed_on(call: &Written<'_>, http: &Http, from: &[u32], plan: &Plan, problems: &mut Problems) {
    let own = http.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(DEADLINE));
    let keeps = from.iter().map(|&node| &plan.nodes[node as usize]).find(|node| match &node.kind {
        NodeKind::Server(config) => config.deadlines,
        _ => false,
    });
    if let (true, Some(node), Some(headers)) = (own && !http.deadline, keeps, call.fields.get("headers")) {
        problems.add(
            Diagnostic::error(Code::Contradiction, headers.span, format!("`{DEADLINE}` would be said twice"))
                .also(node.declared, "with `deadlines: true` it passes on the deadline of what it works on")
                .help("leave the header field out"),
        );
    }
}

/// Bytes of the head of a request that a program makes.
const PROGRAM_HEAD: u64 = 200;

/// Tells the servers of the plan what they ask.
pub(super) fn place(placed: &[Placed], nodes: &Nodes<'_>, plan: &mut Plan) {
    for Placed { group, route, stage, call } in placed {
        for &member in &nodes.groups[*group].members {
            let NodeKind::Server(config) = &mut plan.nodes[member as usize].kind else { continue };
            let stages = match route {
                None => &mut config.calls,
                Some(route) => match config.routes.get_mut(*route) {
                    Some(route) => route.calls.get_or_insert_default(),
                    None => continue,
                },
            };
            if stages.len() <= *stage {
                stages.resize(*stage + 1, Stage::default());
            }
            stages[*stage].0.push(*call);
        }
    }
    // `calls: []` on a route: nothing is asked there, whatever the server's default is.
    for group in &nodes.groups {
        for calls in &group.calls {
            let (Some(route), Kind::List(items)) = (calls.route, &calls.value.kind) else { continue };
            for &member in group.members.iter().filter(|_| items.is_empty()) {
                if let NodeKind::Server(config) = &mut plan.nodes[member as usize].kind
                    && let Some(route) = config.routes.get_mut(route)
                {
                    route.calls = Some(Vec::new());
                }
            }
        }
    }
}

/// Reports calls that lead back to themselves: each would make the next for ever.
pub(super) fn circles(plan: &Plan, problems: &mut Problems) {
    let mut clear = BTreeSet::new();
    for (index, traffic) in (0u32..).zip(&plan.traffic) {
        let TrafficKind::Http(http) = &traffic.kind else { continue };
        if http.arrivals != crate::service::client::Arrivals::Called {
            continue;
        }
        let mut way = Vec::new();
        if returns(index, plan, &mut way, &mut clear) {
            let names: Vec<&str> = way.iter().map(|&index| &*plan.traffic[index as usize].name).collect();
            problems.add(
                Diagnostic::error(Code::Contradiction, traffic.declared, "this call leads back to itself")
                    .label(names.join(", then "))
                    .help("let one of the servers answer that path without calling: a route with `calls: []`"),
            );
            return;
        }
    }
}

/// Whether following the call leads to one that is on the way already, which `way` then ends with.
fn returns(call: u32, plan: &Plan, way: &mut Vec<u32>, clear: &mut BTreeSet<u32>) -> bool {
    if way.contains(&call) {
        way.push(call);
        return true;
    }
    if clear.contains(&call) {
        return false;
    }
    way.push(call);
    let TrafficKind::Http(http) = &plan.traffic[call as usize].kind else { return false };
    let path = http.path.split('?').next().unwrap_or_default().as_bytes();
    for &target in http.choices().flat_map(|asks| &asks[0].targets) {
        let NodeKind::Server(config) = &plan.nodes[target as usize].kind else { continue };
        let planned = config.answer(server::parsed(http.method), path);
        for next in planned.calls.iter().flat_map(|Stage(calls)| calls) {
            if returns(next.traffic, plan, way, clear) {
                return true;
            }
        }
    }
    way.pop();
    clear.insert(call);
    false
}
