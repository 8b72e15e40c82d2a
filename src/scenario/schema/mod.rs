//! From the tree of a file to a plan: every field read, every default filled in, every fault collected.

mod anycast;
mod backends;
mod balancer;
mod caching;
mod cluster;
mod dist;
mod doubts;
mod edge;
mod expect;
pub mod faults;
mod form;
mod links;
mod nodes;
mod paths;
mod profile;
mod queue;
mod registry;
mod rules;
mod server;
mod store;
mod tcp;
mod tls;
mod traffic;
mod uplinks;
mod value;
mod zones;

pub use expect::phases;
pub use form::Form;
pub use profile::{PROFILES, Profile};

use super::ast::{Kind, Span, Value};
use super::diagnostic::{Code, Diagnostic, sort};
use super::plan::{Plan, Routing, Written};
use crate::base::Span as Duration;
use crate::fault::Effect;
use crate::link::Trouble;
use form::Fields;

/// Every form of the language, in the order of the reference.
pub const FORMS: &[&[&Form]] = &[
    &[&SCENARIO, &tcp::TCP, &tcp::KEEP_ALIVE],
    nodes::FORMS,
    balancer::FORMS,
    edge::FORMS,
    anycast::FORMS,
    registry::FORMS,
    traffic::CALLS,
    tls::FORMS,
    links::FORMS,
    queue::FORMS,
    zones::FORMS,
    traffic::FORMS,
    faults::FORMS,
    traffic::POLICY,
    dist::FORMS,
    expect::FORMS,
];

static SCENARIO: Form = Form {
    name: "Scenario",
    fields: &["name", "seed", "run_for", "tcp", "nodes", "links", "routing", "zones", "traffic", "faults", "expect"],
};

/// How long a run is that does not say so.
const RUN_FOR: Duration = Duration::from_secs(60);

/// What has been found wrong so far.
#[derive(Default)]
struct Problems(Vec<Diagnostic>);

impl Problems {
    fn add(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// The same where several entries may meet one fault: told once, with all the places that it touches.
    fn add_to_alike(&mut self, mut diagnostic: Diagnostic) {
        let alike =
            self.0.iter_mut().find(|other| other.code == diagnostic.code && other.message == diagnostic.message);
        match alike {
            Some(other) => {
                // The first in the file stands for all.
                if diagnostic.span.start < other.span.start {
                    std::mem::swap(&mut diagnostic.span, &mut other.span);
                }
                other.others.push((diagnostic.span, "here too".to_owned()));
            }
            None => self.add(diagnostic),
        }
    }

    fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }
}

/// The plan that a file's tree describes and the warnings about it, or everything that is wrong with it, warnings included. A
/// scenario without a name of its own is called `name`.
pub fn resolve(root: &Value, name: &str) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut problems = Problems::default();
    let plan = read(root, name, &mut problems);
    let failed = problems.has_errors();
    doubts::settle(root, &mut problems.0);
    sort(&mut problems.0);
    match plan {
        Some(plan) if !failed => Ok((plan, problems.0)),
        _ => Err(problems.0),
    }
}

fn read(root: &Value, name: &str, problems: &mut Problems) -> Option<Plan> {
    if let Some(other) = root.variant().filter(|&variant| variant != "Scenario") {
        problems.add(
            Diagnostic::error(Code::UnknownVariant, root.variant_span(), format!("a scenario file holds no `{other}`"))
                .help("the file begins with `Scenario(`"),
        );
        return None;
    }
    let fields = Fields::open(&SCENARIO, root, problems)?;
    let name = match fields.get("name") {
        Some(value) => scenario_name(value, problems).unwrap_or_default().to_owned(),
        None => name.to_owned(),
    };
    let seed = fields.get("seed").and_then(|value| value::whole(value, "the seed", 0..=u64::MAX, problems));
    let run_for = fields.get("run_for").and_then(|value| value::positive_span(value, "`run_for`", problems));
    let tcp = fields
        .get("tcp")
        .map_or_else(tcp::Settings::default, |value| tcp::read(value, tcp::Settings::default(), problems));
    let seed = seed.unwrap_or(1);
    let run_for = run_for.unwrap_or(RUN_FOR);
    let mut plan = Plan {
        name,
        seed,
        run_for,
        nodes: Vec::new(),
        links: Vec::new(),
        stores: Vec::new(),
        zones: Vec::new(),
        traffic: Vec::new(),
        routing: Routing::default(),
        faults: Vec::new(),
        expect: Vec::new(),
        written: Written::default(),
    };
    let nodes = fields.need("nodes", "{ \"user\": Host(at: \"New York\"), .. }", problems);
    let nodes = nodes::read(nodes, tcp, &mut plan, problems);
    store::join(&nodes, &mut plan, problems);
    if let Some(value) = fields.get("links") {
        links::read(value, &nodes, &mut plan, problems);
    }
    // What a link that could not be read would have joined is not known.
    let whole = !problems.has_errors();
    anycast::read(&nodes, &mut plan, problems);
    if whole {
        uplinks::read(&nodes, &mut plan, problems);
    }
    nodes.finish(&mut plan, problems);
    server::share_keys(&nodes, &mut plan, problems);
    balancer::read(&nodes, &mut plan, problems);
    edge::read(&nodes, &mut plan, problems);
    anycast::check(&nodes, &mut plan, problems);
    registry::read(&nodes, &mut plan, problems);
    zones::read(fields.get("zones"), &nodes, &mut plan, problems);
    let traffic = fields.need("traffic", "{ \"echo\": Ping(from: .., to: ..) }", problems);
    traffic::read(traffic, &nodes, &mut plan, problems);
    if let Some(value) = fields.get("faults") {
        faults::read(value, &nodes, &mut plan, problems);
    }
    if let Some(value) = fields.get("routing") {
        plan.routing = faults::routing(value, problems).unwrap_or_default();
        let may_withdraw = plan.anycast().any(|(_, anycast)| anycast.check.is_some());
        let fails = plan.faults.iter().flat_map(|fault| &fault.fault.effects).any(|effect| match effect {
            Effect::Link { trouble: Trouble::Break { seen, .. }, .. } => *seen,
            Effect::Crash { node, .. } => {
                plan.nodes[*node as usize].kind.forwards()
                    || plan.anycast().any(|(_, anycast)| anycast.members.contains(node))
            }
            _ => false,
        });
        if !fails && !may_withdraw {
            fields.no_effect("routing", "nothing fails that routes could lead around", problems);
        }
    }
    if let Some(value) = fields.get("expect") {
        expect::read(value, &nodes, &mut plan, problems);
    }
    if whole {
        uplinks::check(&plan, problems);
        rules::check(&plan, problems);
        if !problems.has_errors() {
            server::offers::check(&nodes, &plan, problems);
            nodes.asking(&plan, problems);
        }
    }
    Some(plan)
}

/// A name that can be part of a file's name and of a table's row.
fn scenario_name<'a>(value: &'a Value, problems: &mut Problems) -> Option<&'a str> {
    let name = value::text(value, "the scenario's name", problems)?;
    let fits = |letter: char| letter.is_alphanumeric() || "-_. ".contains(letter);
    if name.trim().is_empty() || !name.chars().all(fits) {
        problems.add(
            Diagnostic::error(Code::BadName, value.span, format!("`{name}` cannot be a scenario's name"))
                .help("a name consists of letters, digits, spaces and `-`, `_`, `.`"),
        );
        return None;
    }
    Some(name)
}

/// The entries of a map whose keys are names, each name once; repetitions and names that cannot be referred to are reported.
fn named_entries<'a>(value: &'a Value, what: &str, problems: &mut Problems) -> Vec<(&'a str, Span, &'a Value)> {
    let Kind::Map(entries) = &value.kind else {
        value::wrong::<()>(value, &format!("{what} stand in braces, each with its name: {{ \"name\": .. }}"), problems);
        return Vec::new();
    };
    let mut named: Vec<(&str, Span, &Value)> = Vec::new();
    for (key, entry) in entries {
        let name = match (value::text(key, "a name", problems), &key.kind) {
            (Some(name), _) => name,
            // References to it are not wrong for want of quotes here.
            (None, Kind::Name(name)) => name,
            _ => continue,
        };
        let span = inner(key);
        if let Some((_, first, _)) = named.iter().find(|(other, ..)| *other == name) {
            problems.add(
                Diagnostic::error(Code::DuplicateName, span, format!("`{name}` is declared twice"))
                    .also(*first, "first here"),
            );
        } else {
            named.push((name, span, entry));
        }
    }
    named
}

/// Reports a name that references and results could not hold.
fn check_name(name: &str, span: Span, problems: &mut Problems) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || "-_. ".contains(letter);
    let good = !name.trim().is_empty() && name.trim() == name && name.chars().all(fits);
    if !good {
        problems.add(
            Diagnostic::error(Code::BadName, span, format!("`{name}` cannot be a name")).help(
                "a name consists of letters, digits, spaces and `-`, `_`, `.`; `/` numbers the members of a group",
            ),
        );
    }
    good
}

/// Where a value's text stands, without its quotes.
fn inner(value: &Value) -> Span {
    match value.kind {
        Kind::Text(_) if value.span.end >= value.span.start + 3 => Span::new(value.span.start + 1, value.span.end - 1),
        _ => value.span,
    }
}

#[cfg(test)]
mod tests;
