//! Keys, payments and conditions of requests, against what those who are asked make of them.

use super::Reading;
use crate::scenario::ast::Kind;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::NodeKind;
use crate::scenario::schema::{Problems, server};
use crate::service::server::Planned;

/// Reports what has no effect at any of `targets`, and conditions that no request can meet.
pub(super) fn check(reading: &Reading<'_, '_>, targets: &[u32], (method, path): (&str, &str), problems: &mut Problems) {
    let (fields, plan) = (reading.fields, reading.plan);
    let others = |&node: &u32| {
        !matches!(
            plan.nodes[node as usize].kind,
            NodeKind::Server(_) | NodeKind::Balancer(_) | NodeKind::Anycast(_) | NodeKind::Edge(_)
        )
    };
    let on = |name: &str| matches!(fields.get(name).map(|value| &value.kind), Some(Kind::Bool(true)));
    let given = |name: &str| on(name) || name == "pays" && fields.get(name).is_some();
    let mut ignored = |names: &[&str], why: &str| {
        names.iter().filter(|name| given(name)).for_each(|name| fields.no_effect(name, why, problems));
    };
    if method == server::PURGE {
        ignored(&["deadline", "idempotency_key", "pays", "conditional"], "a purge asks no server");
        return;
    }
    if targets.iter().all(|&node| matches!(plan.nodes[node as usize].kind, NodeKind::Store(_))) {
        ignored(&["deadline", "idempotency_key"], "a store looks at neither deadlines nor keys of requests");
        return;
    }
    let servers: Vec<_> = plan.servers_reached(targets).into_iter().map(|(_, config)| config).collect();
    // What others do with it is theirs to say.
    if servers.is_empty() || targets.iter().any(others) {
        return;
    }
    if on("deadline") && !servers.iter().any(|config| config.deadlines) {
        let why = "nobody who is asked looks at it; give the server `deadlines: true`";
        fields.no_effect("deadline", why, problems);
    }
    let path = path.split('?').next().unwrap_or_default().as_bytes();
    let any = |does: fn(&Planned<'_>) -> bool| {
        servers.iter().any(|config| does(&config.answer(server::parsed(method), path)))
    };
    if on("idempotency_key") && !servers.iter().any(|config| config.idempotency.is_some()) {
        let why = "nobody who is asked remembers keys; give the server `idempotency: \"24h\"`";
        fields.no_effect("idempotency_key", why, problems);
    }
    if !any(|planned| planned.charges) {
        fields.no_effect(
            "pays",
            "nobody who is asked takes money; give the path a route with `charges: true`",
            problems,
        );
    }
    let Some(value) = fields.get("conditional").filter(|_| on("conditional")) else { return };
    if !any(|planned| planned.versions) {
        let why = "what is asked for has no versions; give the path a route with `versions: true`";
        fields.no_effect("conditional", why, problems);
    }
    if !matches!(method, "PUT" | "DELETE" | "POST") {
        problems.add(
            Diagnostic::error(Code::Contradiction, value.span, format!("a {method} changes nothing"))
                .help("what is written on a condition has `method: \"PUT\"`"),
        );
    }
}
