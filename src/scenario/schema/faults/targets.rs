//! What a fault strikes: links by name or by their ends, nodes by name or by place.

use super::super::expect::find_link;
use super::super::form::list;
use super::super::nodes::Nodes;
use super::super::{Problems, inner, value};
use super::Context;
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::NodeKind;
use crate::topo;

/// A direction of a link, as a fault sees it.
pub(super) struct Direction {
    /// Its number in the plan.
    pub(super) number: u32,
    /// Index of its link.
    pub(super) link: usize,
    /// Whether it leads the way in which the scenario names the ends.
    pub(super) onward: bool,
}

/// The link directions that a fault strikes, in words and one by one.
pub(super) struct Links {
    pub(super) name: String,
    pub(super) directions: Vec<Direction>,
}

/// The links that `link` or `between` name, both directions or those that lead `toward` one end.
pub(super) fn links(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Links> {
    let Context { fields, nodes, plan } = context;
    if !fields.at_most_one(&["link", "between"], "each says which links are struck", problems) {
        return None;
    }
    let (name, found) = if let Some(value) = fields.get("between") {
        between(value, context, problems)?
    } else {
        let known = plan.links.first().map_or("a-b", |link| &*link.name);
        let value = fields.need("link", &format!("\"{known}\""), problems)?;
        let index = find_link(value, plan, problems)?;
        (plan.links[index].name.clone(), vec![(index, true)])
    };
    let toward = match fields.get("toward") {
        None => None,
        Some(value) => Some((nodes.find(value, problems)?, value)),
    };
    let mut directions = Vec::new();
    for (index, onward) in found {
        let link = &plan.links[index];
        let number = u32::try_from(index * 2).ok()?;
        for (way, end) in [(0, link.b), (1, link.a)] {
            if toward.is_none_or(|(ends, _)| ends.contains(&end)) {
                directions.push(Direction { number: number + way, link: index, onward: onward == (way == 0) });
            }
        }
    }
    let Some((_, value)) = toward else { return Some(Links { name, directions }) };
    if directions.is_empty() {
        let message = format!("`{name}` does not lead there");
        problems.add(
            Diagnostic::error(Code::Contradiction, inner(value), message)
                .help("`toward` names one end of what is struck"),
        );
        return None;
    }
    let end = value::text(value, "a node", &mut Problems::default()).unwrap_or_default();
    Some(Links { name: format!("{name} toward {end}"), directions })
}

/// The links between two nodes or groups, in words and one by one: its index, and whether its first end is the one named first.
fn between(value: &Value, context: &Context<'_, '_>, problems: &mut Problems) -> Option<(String, Vec<(usize, bool)>)> {
    let Context { nodes, plan, .. } = context;
    let items = if let Kind::Tuple { items, .. } = &value.kind { items.as_slice() } else { &[] };
    let [a, b] = items else {
        return value::wrong(value, "`between` names both ends: (\"a\", \"b\")", problems);
    };
    let (ends_a, ends_b) = (nodes.find(a, problems), nodes.find(b, problems));
    let (ends_a, ends_b) = (ends_a?, ends_b?);
    let ways = plan.links.iter().enumerate().filter_map(|(index, link)| {
        let onward = ends_a.contains(&link.a) && ends_b.contains(&link.b);
        let back = ends_a.contains(&link.b) && ends_b.contains(&link.a);
        (onward || back).then_some((index, onward))
    });
    let ways: Vec<_> = ways.collect();
    let (a, b) = (value::text(a, "a node", problems)?, value::text(b, "a node", problems)?);
    if ways.is_empty() {
        problems.add(
            Diagnostic::error(Code::UnknownLink, value.span, format!("no link joins `{a}` and `{b}`"))
                .help("a fault strikes the links between two nodes, not the way between them: name its links"),
        );
        return None;
    }
    Some((format!("{a}-{b}"), ways))
}

/// The nodes that `node` names, and their name. `what` is what suits, and which kinds of nodes are that.
pub(super) fn nodes(
    context: &Context<'_, '_>,
    suits: impl Fn(&NodeKind) -> bool,
    (what, kinds): (&str, &str),
    problems: &mut Problems,
) -> Option<(String, Vec<u32>)> {
    let Context { fields, nodes, plan } = context;
    let example = plan.nodes.iter().find(|node| suits(&node.kind)).map_or("origin", |node| &*node.name);
    let value = fields.need("node", &format!("\"{example}\""), problems)?;
    let found = nodes.find(value, problems)?.to_vec();
    if !Nodes::are_machines(value, &found, plan, problems) {
        return None;
    }
    let name = value::text(value, "a node", problems)?.to_owned();
    if let Some(&other) = found.iter().find(|&&node| !suits(&plan.nodes[node as usize].kind)) {
        let node = &plan.nodes[other as usize];
        problems.add(
            Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no {what}", node.name))
                .also(node.declared, node.kind.described())
                .help(format!("name {kinds}")),
        );
        return None;
    }
    Some((name, found))
}

/// The nodes of a list of names, in ascending order.
pub(super) fn set(context: &Context<'_, '_>, value: &Value, problems: &mut Problems) -> Option<(String, Vec<u32>)> {
    let (mut all, mut names) = (Vec::new(), Vec::new());
    for value in value::each(value) {
        let found = context.nodes.find(value, problems)?;
        if !Nodes::are_machines(value, found, context.plan, problems) {
            return None;
        }
        all.extend_from_slice(found);
        names.push(value::text(value, "a node", problems)?);
    }
    if all.is_empty() {
        problems.add(Diagnostic::error(Code::Empty, value.span, "this names no node"));
        return None;
    }
    all.sort_unstable();
    all.dedup();
    Some((names.join(" "), all))
}

/// The nodes at a place.
pub(super) fn at_place(
    context: &Context<'_, '_>,
    value: &Value,
    problems: &mut Problems,
) -> Option<(String, Vec<u32>)> {
    let name = value::text(value, "a place", problems)?;
    let name = topo::find(name).map_or(name.to_owned(), |place| place.name.to_string());
    let here = |node: &crate::scenario::plan::Node| node.place.as_ref().is_some_and(|place| place.name == name);
    let found: Vec<u32> =
        (0u32..).zip(&context.plan.nodes).filter(|(_, node)| here(node)).map(|(index, _)| index).collect();
    if found.is_empty() {
        let mut places: Vec<&str> =
            context.plan.nodes.iter().filter_map(|node| node.place.as_ref()).map(|place| &*place.name).collect();
        places.sort_unstable();
        places.dedup();
        problems.add(
            Diagnostic::error(Code::UnknownPlace, inner(value), format!("no node stands in `{name}`"))
                .help(format!("nodes stand in {}", list(&places))),
        );
        return None;
    }
    Some((name, found))
}
