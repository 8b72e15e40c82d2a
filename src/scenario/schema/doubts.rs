//! Doubts that follow from errors: what has an effect is not known where what decides it could not be read.

use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};

/// Takes away what is said to have no effect where an error stands in the same entry of the file, or in one that decides about it:
/// all depends on nodes, and what authorities know on zones.
pub(super) fn settle(root: &Value, all: &mut Vec<Diagnostic>) {
    let errors: Vec<Span> = all.iter().filter(|other| other.is_error()).map(|other| other.span).collect();
    if errors.is_empty() {
        return;
    }
    let wrong = |within: Span| errors.iter().any(|error| holds(within, *error));
    let section = |name: &str| section(root, name);
    let (nodes, zones) = (section("nodes"), section("zones"));
    all.retain(|doubt| {
        if doubt.is_error() || doubt.code != Code::NoEffect {
            return true;
        }
        let in_nodes = nodes.is_some_and(|nodes| holds(nodes, doubt.span));
        let decides = if in_nodes { zones } else { nodes };
        !wrong(entry(root, doubt.span)) && !decides.is_some_and(wrong)
    });
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The value of a field of the scenario.
fn section(root: &Value, name: &str) -> Option<Span> {
    let Kind::Struct { fields, .. } = &root.kind else { return None };
    fields.iter().find(|field| field.name.text == name).map(|field| field.value.span)
}

/// The entry of a section in which a place lies: a node, a zone, a fault..; the place itself if it is in none.
fn entry(root: &Value, place: Span) -> Span {
    let Kind::Struct { fields, .. } = &root.kind else { return place };
    let inside = |span: &Span| holds(*span, place);
    let entries = fields.iter().flat_map(|field| match &field.value.kind {
        Kind::Map(entries) => entries.iter().map(|(key, value)| key.span.to(value.span)).collect(),
        Kind::List(items) => items.iter().map(|item| item.span).collect(),
        _ => vec![field.value.span],
    });
    entries.into_iter().find(inside).unwrap_or(place)
}
