//! Registries: who signs on where, and how askers find whom to ask.

use super::balancer::policy;
use super::form::{Fields, Form, list};
use super::nodes::Nodes;
use super::paths::Parts;
use super::traffic::Reading;
use super::{Problems, inner, value};
use crate::base::{Span as Duration, Time};
use crate::scenario::ast::{Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Discovery, Node, NodeKind, Plan, Registering, TrafficKind};
use crate::service::balancer::Layer;
use crate::service::balancer::policy::{Algorithm, HashKey};
use crate::service::registry::Refresh;

pub(super) static REGISTRY: Form = Form { name: "Registry", fields: &["at", "tcp"] };
static REGISTER: Form = Form { name: "register", fields: &["with", "as", "heartbeat", "lease", "from", "until"] };
static POLL: Form = Form { name: "Poll", fields: &["with", "every", "policy"] };
static PUSH: Form = Form { name: "Push", fields: &["with", "policy"] };

pub(super) const FORMS: &[&Form] = &[&REGISTRY, &REGISTER, &POLL, &PUSH];

/// Reads where each server signs on, now that all nodes have their numbers.
pub(super) fn read(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    for group in &nodes.groups {
        let Some(value) = group.register else { continue };
        let Some(registering) = registering(value, nodes, plan, problems) else { continue };
        for &member in &group.members {
            plan.nodes[member as usize].registering = Some(registering.clone());
        }
    }
}

fn registering(value: &Value, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<Registering> {
    let fields = Fields::open(&REGISTER, value, problems)?;
    let registry = registry(&fields, nodes, plan, problems);
    let service = fields.need("as", "\"shop\"", problems).and_then(|value| {
        let name = value::text(value, "the name of a service", problems)?;
        super::zones::domain(name, inner(value), problems)
    });
    let span = |name: &str, problems: &mut Problems| match fields.get(name) {
        None => Some(None),
        Some(value) => value::positive_span(value, &format!("`{name}`"), problems).map(Some),
    };
    let heartbeat = span("heartbeat", problems)?.unwrap_or(Duration::from_secs(1));
    let lease = span("lease", problems)?.unwrap_or(heartbeat * 3);
    let from = match fields.get("from") {
        None => Time::ZERO,
        Some(value) => Time::ZERO + value::span(value, "`from`", problems)?,
    };
    let until = span("until", problems)?.map(|until| Time::ZERO + until);
    if lease <= heartbeat {
        let at = fields.get("lease").map_or(value.span, |value| value.span);
        problems.add(
            Diagnostic::error(Code::Contradiction, at, "the lease runs out before the next heartbeat renews it")
                .label(format!("{lease}, renewed every {heartbeat}"))
                .help("a lease outlives two or three lost heartbeats: give it three times `heartbeat`"),
        );
        return None;
    }
    if until.is_some_and(|until| until <= from) {
        problems.add(
            Diagnostic::error(Code::NeverStarts, value.span, "it signs off before it signs on")
                .help("`from` and `until` are instants of the run"),
        );
        return None;
    }
    let end = Time::ZERO + plan.run_for;
    let late = |name: &str, at: Time, what: &str, problems: &mut Problems| {
        if let (Some(value), true) = (fields.get(name), at >= end) {
            let message = format!("{what}: the run ends after {}", plan.run_for);
            problems.add(
                Diagnostic::warning(Code::NeverStarts, value.span, message)
                    .help("name an earlier instant, or give the scenario a longer `run_for`"),
            );
        }
    };
    late("from", from, "it never signs on", problems);
    late("until", until.unwrap_or(Time::ZERO), "it never signs off", problems);
    Some(Registering { registry: registry?, service: service?, heartbeat, lease, from, until })
}

/// The registry that `with` names.
fn registry(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let is = |node: &&Node| matches!(node.kind, NodeKind::Registry);
    let example = plan.nodes.iter().find(is).map_or("registry", |node| &*node.name);
    let value = fields.need("with", &format!("\"{example}\""), problems)?;
    let found = nodes.find(value, problems)?;
    let node = &plan.nodes[*found.first()? as usize];
    if is(&node) {
        return found.first().copied();
    }
    problems.add(
        Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no registry", node.name))
            .also(node.declared, node.kind.described())
            .help("name a node declared as `Registry()`"),
    );
    None
}

/// How askers find whom to ask.
pub(super) fn discovery(value: &Value, reading: &Reading<'_, '_>, problems: &mut Problems) -> Option<Discovery> {
    let kind = value::choice(value, "`discover`", &["Poll", "Push"], problems)?;
    let fields = Fields::open(if kind == "Poll" { &POLL } else { &PUSH }, value, problems)?;
    let registry = registry(&fields, reading.nodes, reading.plan, problems);
    let refresh = if kind == "Push" {
        Refresh::Push
    } else {
        Refresh::Poll(match fields.get("every") {
            None => Duration::from_secs(5),
            Some(value) => value::positive_span(value, "`every`", problems)?,
        })
    };
    let algorithm = match fields.get("policy") {
        None => Algorithm::default(),
        Some(value) => {
            let algorithm = policy::read(value, Layer::L7 { idle: Layer::IDLE }, problems)?;
            if algorithm.hash_key().is_some_and(HashKey::looks_inside) {
                let message = "a caller hashes its address: what it asks for is all the same to it";
                problems.add(
                    Diagnostic::error(Code::Unsupported, value.span, message)
                        .help("leave `key` out, or put a balancer between that looks at requests"),
                );
                return None;
            }
            if algorithm.needs_weights() {
                let why = "instances sign on without weights, so each gets as much as with `RoundRobin`";
                fields.no_effect("policy", why, problems);
            }
            algorithm
        }
    };
    Some(Discovery { registry: registry?, refresh, algorithm })
}

/// Everybody who may ever be an instance of a service.
pub(super) fn instances(
    service: &str,
    span: Span,
    discovery: &Discovery,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<Vec<u32>> {
    let here = |node: &Node| node.registering.as_ref().filter(|own| own.registry == discovery.registry).cloned();
    let signs_on = |node: &Node| here(node).is_some_and(|own| own.service == service);
    let found: Vec<u32> =
        (0u32..).zip(&plan.nodes).filter(|(_, node)| signs_on(node)).map(|(index, _)| index).collect();
    if !found.is_empty() {
        return Some(found);
    }
    let registry = &plan.nodes[discovery.registry as usize];
    let mut known: Vec<String> = plan.nodes.iter().filter_map(here).map(|own| own.service).collect();
    known.dedup();
    let help = if known.is_empty() {
        format!("give a server `register: (with: \"{}\", as: \"{service}\")`", registry.name)
    } else {
        format!("the services are {}", list(&known))
    };
    problems.add(
        Diagnostic::error(Code::UnknownHost, span, format!("nobody signs on at `{}` as `{service}`", registry.name))
            .also(registry.declared, "the registry")
            .help(help),
    );
    None
}

/// Instances and callers need a way to their registry.
pub(super) fn reachable(plan: &Plan, parts: &Parts<'_, '_>, problems: &mut Problems) {
    let instances =
        (0u32..).zip(&plan.nodes).filter_map(|(index, node)| Some((index, node.registering.as_ref()?.registry)));
    let askers = plan.traffic.iter().flat_map(|traffic| match &traffic.kind {
        TrafficKind::Http(http) => {
            let registry = http.discovery.as_ref().map(|discovery| discovery.registry);
            http.asks.iter().filter_map(|ask| Some((ask.from, registry?))).collect()
        }
        _ => Vec::new(),
    });
    if let Some((node, registry)) = instances.chain(askers).find(|&(node, registry)| !parts.reaches(node, registry)) {
        let (node, registry) = (&plan.nodes[node as usize], &plan.nodes[registry as usize]);
        let message = format!("`{}` does not reach the registry `{}`", node.name, registry.name);
        problems.add(
            Diagnostic::error(Code::Unreachable, node.declared, message)
                .also(registry.declared, "declared here")
                .help("link the registry to a router that both reach"),
        );
    }
}
