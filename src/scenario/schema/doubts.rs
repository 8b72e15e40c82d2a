//! What follows from errors: what has an effect, who can do what and which names there are is not known where what decides it could
//! not be read.

use super::SCENARIO;
use super::form::similar;
use crate::scenario::ast::{Field, Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};

/// Takes away what only follows from other errors, so that one slip is told once.
///
/// - What is said to have no effect, where an error stands in the same entry of the file or in one that decides about it: all depends on
///   nodes and on what faults do to them, and what authorities know on zones.
/// - Names that are not found and things that cannot do what is asked of them, where an error stands in the section or in the entry
///   that declares them.
pub(super) fn settle(root: &Value, all: &mut Vec<Diagnostic>) {
    let file = File::new(root);
    let errors: Vec<Error> = all.iter().filter(|other| other.is_error()).map(|error| file.error(error)).collect();
    if errors.is_empty() {
        return;
    }
    all.retain(|told| {
        if told.is_error() {
            !file.follows(told, &errors)
        } else {
            told.code != Code::NoEffect || !file.doubted(told, &errors)
        }
    });
}

/// An error, and what it takes to explain others.
struct Error {
    span: Span,
    /// The section in which it stands, in the order in which they are read.
    section: Option<usize>,
    /// Whether it may follow from another one: then it explains only what is read after it, so that never all of them go.
    may_follow: bool,
    /// Whether it is about what is wanting in an entry.
    wanting: bool,
    /// Whether it leaves open what stands there: what is only out of reach is known all the same.
    obscures: bool,
}

/// The sections of a scenario and their entries.
struct File<'a> {
    /// Each field of the scenario with its place in the order in which they are read.
    sections: Vec<(usize, &'a Value)>,
}

impl<'a> File<'a> {
    fn new(root: &'a Value) -> Self {
        let fields = if let Kind::Struct { fields, .. } = &root.kind { fields.as_slice() } else { &[] };
        // A misspelt section is read as the one it means.
        let known = |field: &'a Field| {
            let name = similar(&field.name.text, SCENARIO.fields.iter().copied())?;
            Some((rank(name), &field.value))
        };
        Self { sections: fields.iter().filter_map(known).collect() }
    }

    fn section(&self, name: &str) -> Option<&'a Value> {
        self.sections.iter().find(|(section, _)| *section == rank(name)).map(|(_, value)| *value)
    }

    fn error(&self, error: &Diagnostic) -> Error {
        let section =
            self.sections.iter().find(|(_, value)| holds(value.span, error.span)).map(|(section, _)| *section);
        let wanting = matches!(error.code, Code::UnknownPool | Code::Empty);
        let may_follow = match error.code {
            Code::WrongRole | Code::UnknownMember | Code::Contradiction => !error.others.is_empty(),
            Code::UnknownPlace => section != Some(rank("nodes")),
            code => wanting || !deciding(code).is_empty(),
        };
        let obscures = error.code != Code::Unreachable;
        Error { span: error.span, section, may_follow, wanting, obscures }
    }

    /// Whether an error is there only because of another one.
    fn follows(&self, told: &Diagnostic, errors: &[Error]) -> bool {
        let own = self.error(told);
        // Nothing is known of a section that is not there, or not as one; it is missed or misread already.
        let unread = |name: &str| match self.section(name) {
            None => errors.iter().any(|error| error.section.is_none()),
            Some(value) => errors.iter().any(|error| error.span == value.span),
        };
        match told.code {
            Code::UnknownNode => return unread("nodes"),
            // Servers declare traffic too, unless nobody knows that they are servers.
            Code::UnknownTraffic => {
                let kinds = self.section("nodes").map(|nodes| entries(nodes).map(|(_, node)| node.variant_span()));
                let unknown = kinds.into_iter().flatten().any(|kind| errors.iter().any(|error| error.span == kind));
                return unknown || unread("traffic") || unread("nodes");
            }
            _ => {}
        }
        if !own.may_follow {
            return false;
        }
        let causes: Vec<&Error> = errors
            .iter()
            .filter(|other| other.span != own.span && other.obscures)
            .filter(|other| !other.may_follow || other.section < own.section)
            .collect();
        let wrong = |within: Span| causes.iter().any(|error| holds(within, error.span));
        match told.code {
            // What could be pools or names of the same entry.
            Code::UnknownPool | Code::Empty => {
                let entry = self.entry(told.span);
                errors.iter().any(|other| !other.wanting && holds(entry, other.span))
            }
            Code::WrongRole | Code::UnknownMember | Code::Contradiction => {
                let entries = told.others.iter().map(|(place, _)| self.entry(*place));
                entries.filter(|entry| !holds(*entry, told.span)).any(wrong)
            }
            code => {
                let decide = if code == Code::UnknownPlace { &["nodes"] } else { deciding(code) };
                decide
                    .iter()
                    .any(|section| unread(section) || self.section(section).is_some_and(|value| wrong(value.span)))
            }
        }
    }

    /// Whether it cannot be said that something has no effect.
    fn doubted(&self, doubt: &Diagnostic, errors: &[Error]) -> bool {
        let wrong = |within: Span| errors.iter().any(|error| holds(within, error.span));
        let in_nodes = self.section("nodes").is_some_and(|nodes| holds(nodes.span, doubt.span));
        let decides = [if in_nodes { "zones" } else { "nodes" }, "faults"];
        let misread = |section| match self.section(section) {
            // It may be there by a name that nobody knows.
            None => errors.iter().any(|error| error.section.is_none()),
            Some(value) => wrong(value.span),
        };
        wrong(self.entry(doubt.span)) || decides.into_iter().any(misread)
    }

    /// The entry of a section in which a place lies: a node, a zone, a fault..; the place itself if it is in none.
    fn entry(&self, place: Span) -> Span {
        let Some((_, section)) = self.sections.iter().find(|(_, value)| holds(value.span, place)) else { return place };
        entries(section).map(|(span, _)| span).find(|span| holds(*span, place)).unwrap_or(place)
    }
}

/// The entries of a section; what is no map and no list is one.
fn entries(section: &Value) -> impl Iterator<Item = (Span, &Value)> {
    let (map, list, one) = match &section.kind {
        Kind::Map(entries) => (entries.as_slice(), &[][..], None),
        Kind::List(items) => (&[][..], items.as_slice(), None),
        _ => (&[][..], &[][..], Some(section)),
    };
    let map = map.iter().map(|(key, value)| (key.span.to(value.span), value));
    map.chain(list.iter().chain(one).map(|value| (value.span, value)))
}

/// The place of a section in the order in which they are read.
fn rank(section: &str) -> usize {
    SCENARIO.fields.iter().position(|field| *field == section).unwrap_or(SCENARIO.fields.len())
}

/// The sections that decide whether such an error is one.
fn deciding(code: Code) -> &'static [&'static str] {
    match code {
        Code::UnknownFault => &["faults"],
        Code::UnknownHost => &["zones"],
        // Links have names of the nodes that they join.
        Code::UnknownLink | Code::Unreachable | Code::NoEffect => &["nodes", "links"],
        _ => &[],
    }
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
