//! Edges: what they hold and for how long, where they fetch; and the control points that tell them to forget.

use super::balancer::pool_of;
use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::paths::Paths;
use super::{Problems, backends, inner, value};
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{EdgeNode, NodeKind, Plan, PurgeControl, Target};
use crate::service::balancer::Layer;
use crate::service::cdn::{Coalesce, Eviction, Failed, Negative};

pub(super) static EDGE: Form = Form {
    name: "Edge",
    fields: &[
        "at",
        "count",
        "access",
        "port",
        "to",
        "cache",
        "eviction",
        "ttl",
        "negative",
        "coalesce",
        "policy",
        "health",
        "outliers",
        "connections",
        "idle",
        "timeout",
        "retries",
        "retry_errors",
        "backlog",
        "tcp",
    ],
};
static NEGATIVE: Form = Form { name: "negative", fields: &["not_found", "errors"] };
static COALESCE: Form = Form { name: "coalesce", fields: &["wait", "failed"] };
pub(super) static CONTROL: Form =
    Form { name: "PurgeControl", fields: &["at", "count", "access", "port", "edges", "timeout", "patience", "tcp"] };

pub(super) const FORMS: &[&Form] = &[&EDGE, &NEGATIVE, &COALESCE, &CONTROL];

/// What an edge says of itself; where it fetches is read when all nodes have their numbers.
pub(super) fn template(fields: &Fields<'_>, problems: &mut Problems) -> EdgeNode {
    let mut edge = EdgeNode::unread();
    let made = &mut edge.settings;
    made.port = port(fields, made.port, problems);
    if let Some(value) = fields.get("backlog") {
        let backlog = value::whole(value, "`backlog`", 1..=1_000_000, problems);
        made.backlog = backlog.and_then(|n| u32::try_from(n).ok()).unwrap_or(made.backlog);
    }
    if let Some(value) = fields.get("cache") {
        made.capacity = value::bytes(value, "`cache`", 1..=u64::MAX, problems).unwrap_or(made.capacity);
    }
    if let Some(value) = fields.get("eviction") {
        let names: Vec<&str> = crate::service::cdn::store::TABLE.iter().map(|(name, ..)| *name).collect();
        let name = value::word(value, "`eviction`", &names, problems);
        let table = crate::service::cdn::store::TABLE.iter();
        made.eviction = table.filter(|row| Some(row.0) == name).map(|row| row.2).next().unwrap_or(Eviction::Lru);
    }
    made.ttl = fields.get("ttl").and_then(|value| value::positive_span(value, "`ttl`", problems));
    if let Some(value) = fields.get("negative") {
        made.negative = negative(value, problems).unwrap_or_default();
    }
    if let Some(value) = fields.get("coalesce") {
        made.coalesce = coalesce(value, problems);
    }
    edge
}

fn port(fields: &Fields<'_>, usual: u16, problems: &mut Problems) -> u16 {
    let value = fields.get("port").and_then(|value| value::whole(value, "`port`", 1..=65_535, problems));
    value.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual)
}

/// A duration for what is not there, or fields.
fn negative(value: &Value, problems: &mut Problems) -> Option<Negative> {
    if let Kind::Text(_) | Kind::Number(_) = value.kind {
        let span = value::positive_span(value, "`negative`", problems)?;
        return Some(Negative { not_found: Some(span), errors: None });
    }
    let fields = Fields::open(&NEGATIVE, value, problems)?;
    let mut span = |name: &str| {
        let value = fields.get(name)?;
        value::positive_span(value, &format!("`{name}`"), problems)
    };
    Some(Negative { not_found: span("not_found"), errors: span("errors") })
}

/// `false`, `true`, or fields.
fn coalesce(value: &Value, problems: &mut Problems) -> Option<Coalesce> {
    let mut made = Coalesce::USUAL;
    if let Kind::Bool(on) = value.kind {
        return on.then_some(made);
    }
    let Some(fields) = Fields::open(&COALESCE, value, problems) else { return Some(made) };
    if let Some(value) = fields.get("wait") {
        made.wait = value::positive_span(value, "`wait`", problems).unwrap_or(made.wait);
    }
    if let Some(value) = fields.get("failed") {
        made.failed = match value::word(value, "`failed`", &["Share", "Retry"], problems) {
            Some("Retry") => Failed::Retry,
            _ => Failed::Share,
        };
    }
    Some(made)
}

/// What a control point says of itself; which edges it has is read when all nodes have their numbers.
pub(super) fn control(fields: &Fields<'_>, problems: &mut Problems) -> PurgeControl {
    let mut made = PurgeControl::unread();
    made.port = port(fields, made.port, problems);
    for (name, field) in [("timeout", &mut made.timeout), ("patience", &mut made.patience)] {
        if let Some(value) = fields.get(name) {
            *field = value::positive_span(value, &format!("`{name}`"), problems).unwrap_or(*field);
        }
    }
    made
}

/// Reads where every edge fetches and which edges control points have.
pub(super) fn read(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    for group in &nodes.groups {
        let Some(entry) = group.edge else { continue };
        // Unknown fields were reported when the node was read.
        let Some(fields) = Fields::open(&EDGE, entry, &mut Problems::default()) else { continue };
        let targets = targets(&fields, nodes, plan, problems);
        let layer = Layer::L7 { idle: Layer::IDLE };
        let Some(upstream) = pool_of("upstream", &fields, layer, targets, plan, problems) else { continue };
        for (instance, &member) in (0..).zip(&group.members) {
            let NodeKind::Edge(edge) = &mut plan.nodes[member as usize].kind else { continue };
            edge.settings.instance = instance;
            edge.upstream = upstream.clone();
        }
    }
    for group in &nodes.groups {
        let Some(entry) = group.control else { continue };
        let Some(fields) = Fields::open(&CONTROL, entry, &mut Problems::default()) else { continue };
        let Some(edges) = edges(&fields, nodes, plan, problems) else { continue };
        for &member in &group.members {
            let NodeKind::PurgeControl(control) = &mut plan.nodes[member as usize].kind else { continue };
            control.edges.clone_from(&edges);
        }
    }
}

static WORDS: backends::Words =
    backends::Words { within: "`to`", once: "name it once", nobody: "this edge has nobody to fetch from" };

/// Whom an edge asks: servers and balancers in the clear, or other edges.
fn targets(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<Vec<Target>> {
    let value = fields.need("to", "\"origin\"", problems)?;
    backends::read(value, &WORDS, nodes, plan, problems, |node, value, problems| target(node, value, plan, problems))
}

fn target(node: u32, value: &Value, plan: &Plan, problems: &mut Problems) -> Option<Target> {
    let known = &plan.nodes[node as usize];
    let tls = |node: u32| matches!(&plan.nodes[node as usize].kind, NodeKind::Server(server) if server.tls.is_some());
    let (port, secure) = match &known.kind {
        NodeKind::Server(server) => (server.port, server.tls.is_some()),
        NodeKind::Balancer(balancer) => {
            let through = !balancer.layer.sees_requests() && balancer.targets().any(|target| tls(target.node));
            (balancer.port, balancer.tls.is_some() || through)
        }
        NodeKind::Edge(edge) => (edge.settings.port, false),
        other => {
            problems.add(
                Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no origin", known.name))
                    .also(known.declared, other.described())
                    .help("an edge fetches from a `Server`, a `Balancer` or another `Edge`"),
            );
            return None;
        }
    };
    if secure {
        problems.add(
            Diagnostic::error(Code::Contradiction, inner(value), format!("`{}` speaks nothing but TLS", known.name))
                .also(known.declared, "declared here")
                .help("an edge fetches in the clear: take `tls` away"),
        );
        return None;
    }
    Some(Target { node, port, tls: false, weight: 1, drain: None })
}

fn edges(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<Vec<u32>> {
    let value = fields.need("edges", "\"edge\"", problems)?;
    let mut edges: Vec<u32> = Vec::new();
    for value in value::each(value) {
        for &node in nodes.find(value, problems)? {
            let known = &plan.nodes[node as usize];
            if !matches!(known.kind, NodeKind::Edge(_)) {
                problems.add(
                    Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` has nothing to purge", known.name))
                        .also(known.declared, known.kind.described())
                        .help("name nodes declared as `Edge(..)`"),
                );
                return None;
            }
            if edges.contains(&node) {
                let message = format!("`{}` is in `edges` already", known.name);
                problems.add(Diagnostic::error(Code::DuplicateName, inner(value), message).help("name each edge once"));
                return None;
            }
            edges.push(node);
        }
    }
    if edges.is_empty() {
        problems.add(Diagnostic::error(Code::Empty, value.span, "this control point has no edges"));
        return None;
    }
    edges.sort_unstable();
    Some(edges)
}

/// Every edge needs a way to where it fetches, and must not fetch from itself over others; control points need ways to edges.
pub(super) fn check(plan: &Plan, paths: &Paths<'_>, problems: &mut Problems) {
    let parts = paths.parts();
    for (index, node) in (0u32..).zip(&plan.nodes) {
        let (others, what): (Vec<u32>, _) = match &node.kind {
            NodeKind::Edge(edge) => (edge.upstream.targets.iter().map(|target| target.node).collect(), "this edge"),
            NodeKind::PurgeControl(control) => (control.edges.clone(), "this control point"),
            _ => continue,
        };
        let Some(&cut) = others.iter().find(|&&other| !parts.reaches(index, other)) else { continue };
        let other = &plan.nodes[cut as usize];
        problems.add(
            Diagnostic::error(
                Code::Unreachable,
                node.declared,
                format!("there is no route from `{}` to `{}`", node.name, other.name),
            )
            .label(format!("{what} could not reach it"))
            .also(other.declared, "declared here")
            .help("join them with a link, or with routers between them: hosts and servers do not forward packets"),
        );
    }
    circle(plan, problems);
}

/// Reports edges that fetch from each other.
fn circle(plan: &Plan, problems: &mut Problems) {
    for (start, node) in (0u32..).zip(&plan.nodes) {
        let mut way = vec![start];
        let mut at = start;
        // Longer than there are nodes is round in circles.
        while let Some(next) = plan.shield(at) {
            if next == start {
                let names: Vec<&str> =
                    way.iter().chain([&start]).map(|&node| &*plan.nodes[node as usize].name).collect();
                problems.add(
                    Diagnostic::error(Code::Contradiction, node.declared, "these edges fetch from each other for ever")
                        .label(names.join(", then "))
                        .help("let one of them fetch from a `Server` or a `Balancer`"),
                );
                return;
            }
            way.push(next);
            at = next;
            if way.len() > plan.nodes.len() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::parse;

    /// What is said of a scenario with these nodes, of which `edge` is asked with `method`.
    fn said(nodes: &str, method: &str, to: &str) -> Vec<String> {
        let source = format!(
            r#"Scenario(nodes: {{ "user": Host(), "core": Router(), {nodes} }},
                links: [(between: ("user", "core"), rate: "1Gbps", delay: "1ms"), (between: ("edge", "core"), rate: "1Gbps", delay: "1ms"),
                    (between: ("b", "core"), rate: "1Gbps", delay: "1ms")],
                traffic: {{ "r": Http(from: "user", to: "http://{to}/", method: "{method}") }})"#
        );
        let all = match parse(&source, "edge") {
            Ok((_, warnings)) => warnings,
            Err(all) => all,
        };
        all.into_iter().map(|diagnostic| format!("{}: {}", diagnostic.code.name(), diagnostic.message)).collect()
    }

    #[test]
    fn edges_that_could_not_work_are_told_why() {
        let origin = r#""b": Server()"#;
        for (edge, other, want) in [
            (r#"Edge(to: "b")"#, origin, None),
            (
                r#"Edge(to: ["b"], cache: "1MB", eviction: S3Fifo, negative: "5s", coalesce: (failed: Retry))"#,
                origin,
                None,
            ),
            ("Edge()", origin, Some("missing-field: an `Edge` needs `to`")),
            (r#"Edge(to: "user")"#, origin, Some("wrong-role: `user` is no origin")),
            (r#"Edge(to: "bb")"#, origin, Some("unknown-node: no node is called `bb`")),
            (r#"Edge(to: ["b", "b"])"#, origin, Some("duplicate-name: `b` is in `to` already")),
            ("Edge(to: [])", origin, Some("empty: this edge has nobody")),
            (r#"Edge(to: "edge")"#, origin, Some("contradiction: these edges fetch from each other")),
            (r#"Edge(to: "b")"#, r#""b": Edge(to: "edge")"#, Some("contradiction: these edges fetch from each other")),
            (r#"Edge(to: "b")"#, r#""b": Server(tls: true)"#, Some("contradiction: `b` speaks nothing but TLS")),
            (r#"Edge(to: "b", cache: "0B")"#, origin, Some("out-of-range: `cache` cannot be 0 B")),
            (r#"Edge(to: "b", eviction: Lfu)"#, origin, Some("unknown-variant: `eviction` cannot be `Lfu`")),
            (r#"Edge(to: "b", negative: "0s")"#, origin, Some("out-of-range: `negative` cannot be zero")),
            (r#"Edge(to: "b", coalesce: (failed: Wait))"#, origin, Some("unknown-variant: `failed` cannot be `Wait`")),
            (r#"Edge(to: "b", policy: Random)"#, origin, Some("no-effect: `policy` has no effect")),
            (r#"Edge(to: "b", at: ["London", "Paris"], count: 2)"#, origin, Some("contradiction: `at` and `count`")),
            (r#"Edge(to: "b", at: [])"#, origin, Some("empty: a group at no place")),
        ] {
            let said = said(&format!(r#""edge": {edge}, {other}"#), "GET", "edge");
            match want {
                None => assert!(said.is_empty(), "{edge}: {said:?}"),
                Some(want) => assert!(said.iter().any(|line| line.starts_with(want)), "{edge}: {said:?}"),
            }
        }
    }

    #[test]
    fn purges_go_where_there_is_something_to_purge() {
        let nodes = |control: &str| format!(r#""edge": Edge(to: "b"), "b": Server(), "control": {control}"#);
        let linked = r#"PurgeControl(edges: "edge")"#;
        let of = |control: &str, method, to| said(&nodes(control), method, to);
        assert_eq!(said(r#""edge": Edge(to: "b"), "b": Server()"#, "PURGE", "edge"), Vec::<String>::new());
        for (control, method, to, want) in [
            (linked, "PURGE", "b", "wrong-role: `b` has nothing to purge"),
            (linked, "GET", "control", "wrong-role: `control` does nothing but purge"),
            (r#"PurgeControl(edges: "b")"#, "PURGE", "control", "wrong-role: `b` has nothing to purge"),
            ("PurgeControl()", "PURGE", "control", "missing-field: a `PurgeControl` needs `edges`"),
            (linked, "PURGE", "control", "unreachable: there is no route from `user` to `control`"),
            (linked, "GET", "edge", "unreachable: there is no route from `control` to `edge`"),
        ] {
            let said = of(control, method, to);
            assert!(said.iter().any(|line| line.starts_with(want)), "{control} {method} {to}: {said:?}");
        }
    }
}
