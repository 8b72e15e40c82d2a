//! Expectations about balancers: how even, how much to whom, noticed when.

use super::bounds::bounds;
use crate::scenario::ast::Value;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Measure, NodeKind, Plan};
use crate::scenario::schema::form::{Fields, Form};
use crate::scenario::schema::nodes::Nodes;
use crate::scenario::schema::{Problems, inner, value};
use crate::trace::Judged;

pub(super) static BUSIEST: Form = Form { name: "Busiest", fields: &["of", "at_a_time", "at_most", "at_least"] };
pub(super) static SENT: Form = Form { name: "Sent", fields: &["by", "to", "at_most", "at_least"] };
pub(super) static NOTICED: Form = Form { name: "Noticed", fields: &["by", "what", "of", "at_most", "at_least"] };

/// The measure that an expectation of this kind is about.
pub(super) fn measure(
    kind: &str,
    fields: &Fields<'_>,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<Measure> {
    match kind {
        "Busiest" => {
            let of = balancer(fields, "of", nodes, plan, problems);
            let at_a_time =
                fields.get("at_a_time").map_or(Some(false), |value| value::flag(value, "`at_a_time`", problems));
            let bounds = bounds(fields, "\"30%\"", value::ratio, problems);
            Some(Measure::Busiest { of: of?, at_a_time: at_a_time?, bounds: bounds? })
        }
        "Sent" => {
            let by = balancer(fields, "by", nodes, plan, problems);
            let to = by.and_then(|by| backend(fields, "to", by, nodes, plan, problems));
            let count =
                |value: &Value, what: &str, problems: &mut Problems| value::whole(value, what, 0..=u64::MAX, problems);
            let bounds = bounds(fields, "0", count, problems);
            Some(Measure::Sent { by: by?, to: to?, bounds: bounds? })
        }
        _ => {
            let by = balancer(fields, "by", nodes, plan, problems);
            let what = fields.need("what", "\"down\"", problems);
            let what = what.and_then(|value| {
                value::named(value, "what is noticed", Judged::ALL.iter().map(|&what| (what.name(), what)), problems)
            });
            let of = by.and_then(|by| backend(fields, "of", by, nodes, plan, problems));
            let bounds = bounds(fields, "\"12s\"", value::span, problems);
            Some(Measure::Noticed { by: by?, what: what?, of: of?, bounds: bounds? })
        }
    }
}

/// One node that is a balancer.
fn balancer(fields: &Fields<'_>, name: &str, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let value = fields.need(name, "\"lb\"", problems)?;
    let found = nodes.find(value, problems)?;
    let node = &plan.nodes[*found.first()? as usize];
    let (true, [one]) = (matches!(node.kind, NodeKind::Balancer(_)), found) else {
        let message = if found.len() > 1 {
            format!("there are {} nodes of this name", found.len())
        } else {
            format!("`{}` is no balancer", node.name)
        };
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(value), message)
                .also(node.declared, node.kind.described())
                .help("name one node declared as `Balancer(..)`"),
        );
        return None;
    };
    Some(*one)
}

/// One node that a balancer balances.
fn backend(
    fields: &Fields<'_>,
    name: &str,
    of: u32,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<u32> {
    let value = fields.need(name, "\"shop/1\"", problems)?;
    let found = nodes.find(value, problems)?;
    let balancer = &plan.nodes[of as usize];
    let NodeKind::Balancer(settings) = &balancer.kind else { return None };
    if let [one] = found
        && settings.targets().any(|target| target.node == *one)
    {
        return Some(*one);
    }
    problems.add(
        Diagnostic::error(Code::WrongRole, inner(value), format!("this is not one backend of `{}`", balancer.name))
            .also(balancer.declared, "the balancer")
            .help("name one member of its pools: `shop/1`"),
    );
    None
}
