//! Expectations about edges: how much they have, how often they ask, how old what they say is, how soon they forget.

use super::bounds::bounds;
use super::inner;
use crate::scenario::ast::Value;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Measure, NodeKind, Plan};
use crate::scenario::schema::form::{Fields, Form};
use crate::scenario::schema::nodes::Nodes;
use crate::scenario::schema::{Problems, value};

pub(super) static HIT_RATIO: Form = Form { name: "HitRatio", fields: &["of", "bytes", "at_most", "at_least"] };
pub(super) static FETCHES: Form = Form { name: "Fetches", fields: &["of", "at_most", "at_least"] };
pub(super) static OUTDATED: Form = Form { name: "Outdated", fields: &["of", "at_most", "at_least"] };
pub(super) static PURGED: Form = Form { name: "Purged", fields: &["by", "at_most", "at_least"] };

/// The measure that an expectation of this kind is about.
pub(super) fn measure(
    kind: &str,
    fields: &Fields<'_>,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<Measure> {
    let count = |value: &Value, what: &str, problems: &mut Problems| value::whole(value, what, 0..=u64::MAX, problems);
    match kind {
        "HitRatio" => {
            let of = edges(fields, nodes, plan, problems);
            let bytes = fields.get("bytes").map_or(Some(false), |value| value::flag(value, "`bytes`", problems));
            let bounds = bounds(fields, "\"90%\"", value::ratio, problems);
            let (name, edges) = of?;
            Some(Measure::HitRatio { name, edges, bytes: bytes?, bounds: bounds? })
        }
        "Fetches" => {
            let of = edges(fields, nodes, plan, problems);
            let bounds = bounds(fields, "100", count, problems);
            let (name, edges) = of?;
            Some(Measure::Fetches { name, edges, bounds: bounds? })
        }
        "Outdated" => {
            let of = edges(fields, nodes, plan, problems);
            let bounds = bounds(fields, "0", count, problems);
            let (name, edges) = of?;
            Some(Measure::Outdated { name, edges, bounds: bounds? })
        }
        _ => {
            let by = control(fields, nodes, plan, problems);
            let bounds = bounds(fields, "\"300ms\"", value::span, problems);
            Some(Measure::Purged { by: by?, bounds: bounds? })
        }
    }
}

/// The edges that `of` names.
fn edges(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<(String, Vec<u32>)> {
    let value = fields.need("of", "\"edge\"", problems)?;
    let found = nodes.find(value, problems)?.to_vec();
    let other =
        found.iter().map(|&node| &plan.nodes[node as usize]).find(|node| !matches!(node.kind, NodeKind::Edge(_)));
    if let Some(node) = other {
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no edge", node.name))
                .also(node.declared, node.kind.described())
                .help("name nodes declared as `Edge(..)`"),
        );
        return None;
    }
    Some((value::text(value, "`of`", problems)?.to_owned(), found))
}

fn control(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let value = fields.need("by", "\"control\"", problems)?;
    let &node = nodes.find(value, problems)?.first()?;
    let known = &plan.nodes[node as usize];
    if matches!(known.kind, NodeKind::PurgeControl(_)) {
        return Some(node);
    }
    problems.add(
        Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` purges nothing", known.name))
            .also(known.declared, known.kind.described())
            .help("name a node declared as `PurgeControl(..)`"),
    );
    None
}
