//! Traffic: who asks whom for what, when it starts and when it ends.

mod calls;
mod catalogue;
mod extras;
mod fields;
mod http;
mod lookups;
mod others;
mod policy;
mod target;

use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::{Problems, check_name, inner, named_entries, queue, value};
use crate::base::{Rng, Time};
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{NodeKind, Plan, Traffic, TrafficKind};
use crate::service::Limit;
use crate::service::client::Arrivals;
use crate::topo::natural_order;
use crate::wire::Dscp;

pub(super) const FORMS: &[&Form] = &[
    &http::HTTP,
    &catalogue::CATALOGUE,
    &http::POOL,
    &http::CLOSED,
    &others::BULK,
    &others::MESSAGES,
    &others::OBJECTS,
    &lookups::LOOKUPS,
    &others::PING,
    &others::TRACEROUTE,
];

/// The forms of what servers ask of others.
pub(super) const CALLS: &[&Form] = &[&calls::CALL];
pub(super) const POLICY: &[&Form] = policy::FORMS;

const KINDS: &[&str] = &["Http", "Bulk", "Messages", "Objects", "Lookups", "Ping", "Traceroute"];

/// Receivers of transfers and messages listen here, each traffic on a port of its own.
const FIRST_PORT: u16 = 5_001;
/// Local ports that clients take begin at 32,768.
const MOST_TRAFFIC: usize = 20_000;

/// Reads the traffic into the plan, in natural order.
pub(super) fn read(value: Option<&Value>, nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    let Some(value) = value else { return };
    let mut entries: Vec<(String, Span, Entry<'_>)> = Vec::new();
    for (position, (name, span, value)) in named_entries(value, "traffic", problems).into_iter().enumerate() {
        entries.push((name.to_owned(), span, Entry::Made(position, value)));
    }
    if entries.is_empty() && matches!(value.kind, Kind::Map(_)) {
        problems.add(
            Diagnostic::error(Code::Empty, value.span, "there is no traffic: nothing would happen")
                .help("add for instance `\"echo\": Ping(from: \"a\", to: \"b\")`"),
        );
    }
    let own = entries.len();
    for (number, call) in calls::collect(nodes, problems).into_iter().enumerate() {
        if let Some((_, first, _)) = entries.iter().find(|(name, ..)| *name == call.name) {
            problems.add(
                Diagnostic::error(
                    Code::DuplicateName,
                    call.span,
                    format!("traffic called `{}` is there already", call.name),
                )
                .also(*first, "first here")
                .help("give the call a `name` of its own"),
            );
            continue;
        }
        entries.push((call.name.clone(), call.span, Entry::Called(own + number, call)));
    }
    if entries.len() > MOST_TRAFFIC {
        let message = format!("{} kinds of traffic are more than there are ports", entries.len());
        problems.add(Diagnostic::error(Code::OutOfRange, value.span, message).help("use groups of hosts"));
        return;
    }
    entries.sort_by(|(left, ..), (right, ..)| natural_order(left, right));
    let mut written = Vec::new();
    let mut placed = Vec::new();
    for (name, span, entry) in &entries {
        check_name(name, *span, problems);
        let index = u32::try_from(plan.traffic.len()).expect("at most 20,000");
        let (position, traffic) = match entry {
            Entry::Made(position, value) => (*position, traffic(name, *span, value, nodes, plan, problems)),
            Entry::Called(position, call) => {
                let read = calls::read(call, index, nodes, plan, problems);
                (
                    *position,
                    read.map(|(traffic, place)| {
                        placed.push(place);
                        traffic
                    }),
                )
            }
        };
        // So that expectations about what could not be read are not wrong too.
        written.push((position, traffic.as_ref().map_or(u32::MAX, |_| index)));
        plan.traffic.push(traffic.unwrap_or_else(|| unreadable(name, *span)));
    }
    written.sort_unstable();
    plan.written.traffic = written.into_iter().map(|(_, index)| index).collect();
    calls::place(&placed, nodes, plan);
    if !problems.has_errors() {
        calls::circles(plan, problems);
    }
}

/// Traffic where it is written: of its own, or as what a server asks of others; with its position in the order of display.
enum Entry<'a> {
    Made(usize, &'a Value),
    Called(usize, calls::Written<'a>),
}

/// Stands for traffic that could not be read; the plan that holds it is thrown away.
fn unreadable(name: &str, span: Span) -> Traffic {
    let kind = TrafficKind::Ping(others::no_pings());
    Traffic { name: name.to_owned(), declared: span, start: Time::ZERO, dscp: Dscp::DEFAULT, kind }
}

fn traffic(
    name: &str,
    span: Span,
    entry: &Value,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
) -> Option<Traffic> {
    let kind = value::choice(entry, "traffic", KINDS, problems)?;
    let form = match kind {
        "Http" => &http::HTTP,
        "Bulk" => &others::BULK,
        "Messages" => &others::MESSAGES,
        "Objects" => &others::OBJECTS,
        "Lookups" => &lookups::LOOKUPS,
        "Ping" => &others::PING,
        _ => &others::TRACEROUTE,
    };
    let fields = Fields::open(form, entry, problems)?;
    let dscp = form.fields.contains(&"dscp").then(|| fields.get("dscp")).flatten();
    let dscp = dscp.and_then(|value| queue::dscp(value, problems)).unwrap_or_default();
    let port = FIRST_PORT + u16::try_from(plan.traffic.len()).expect("at most 20,000");
    let mut reading = Reading { name, fields: &fields, nodes, plan, start: Time::ZERO, port };
    reading.start = reading.instant("start", problems).unwrap_or(Time::ZERO);
    if reading.start >= Time::ZERO + plan.run_for {
        let at = fields.get("start").map_or(span, |value| value.span);
        problems.add(
            Diagnostic::error(
                Code::NeverStarts,
                at,
                format!("`{name}` never starts: the run ends after {}", plan.run_for),
            )
            .help("start it earlier, or give the scenario a longer `run_for`"),
        );
    }
    let kind = match kind {
        "Http" => TrafficKind::Http(http::read(&reading, problems)?),
        "Bulk" => TrafficKind::Bulk(others::bulk(&reading, problems)?),
        "Messages" => TrafficKind::Messages(others::messages(&reading, problems)?),
        "Objects" => TrafficKind::Objects(others::objects(&reading, problems)?),
        "Lookups" => TrafficKind::Lookups(lookups::read(&reading, problems)?),
        "Ping" => TrafficKind::Ping(others::ping(&reading, problems)?),
        _ => TrafficKind::Traceroute(others::traceroute(&reading, problems)?),
    };
    Some(Traffic { name: name.to_owned(), declared: span, start: reading.start, dscp, kind })
}

/// One traffic while it is read.
pub(super) struct Reading<'r, 'a> {
    name: &'r str,
    fields: &'r Fields<'a>,
    pub(super) nodes: &'r Nodes<'a>,
    pub(super) plan: &'r Plan,
    start: Time,
    /// The port that receivers of this traffic listen on.
    port: u16,
}

impl Reading<'_, '_> {
    /// An instant of the run.
    fn instant(&self, name: &str, problems: &mut Problems) -> Option<Time> {
        let value = self.fields.get(name)?;
        value::span(value, &format!("`{name}`"), problems).map(|span| Time::ZERO + span)
    }

    /// When it ends: `count`, and `until` or `for`.
    fn limit(&self, problems: &mut Problems) -> Limit {
        let count = self.fields.get("count").and_then(|value| value::whole(value, "`count`", 1..=u64::MAX, problems));
        Limit { count, until: None }
    }

    /// When requests end that come by these `arrivals`: `count` and `until`.
    fn ends(&self, arrivals: Option<&Arrivals>, problems: &mut Problems) -> Limit {
        let (fields, end) = (self.fields, Time::ZERO + self.plan.run_for);
        let mut limit = self.limit(problems);
        limit.until = self.instant("until", problems);
        if let (Some(value), Some(until)) = (fields.get("until"), limit.until) {
            if until <= self.start {
                let start = self.start.since(Time::ZERO);
                problems.add(
                    Diagnostic::error(Code::NeverStarts, value.span, format!("`{}` ends before it starts", self.name))
                        .help(format!("`until` is an instant of the run, after `start` ({start})")),
                );
            } else if until > end {
                fields.no_effect("until", &format!("the run ends after {} anyway", self.plan.run_for), problems);
            }
        }
        match arrivals {
            Some(Arrivals::Once) => {
                fields.no_effect("count", "there is one request; `arrivals` says how more come", problems);
                fields.no_effect("until", "there is one request; `arrivals` says how more come", problems);
            }
            Some(Arrivals::At(instants)) if limit.count.is_some_and(|count| count >= instants.len() as u64) => {
                fields.no_effect("count", &format!("there are {} instants anyway", instants.len()), problems);
            }
            _ => {}
        }
        limit
    }

    /// The hosts that make it.
    fn from(&self, problems: &mut Problems) -> Option<&[u32]> {
        let value = self.fields.need("from", &self.example(), problems)?;
        let found = self.nodes.find(value, problems)?;
        self.programs(value, found, problems)
    }

    /// Some host's name, for examples.
    fn example(&self) -> String {
        let hosts = self.nodes.groups.iter().find(|group| {
            let first = group.members.first().map(|&node| &self.plan.nodes[node as usize].kind);
            matches!(first, Some(NodeKind::Host))
        });
        format!("\"{}\"", hosts.map_or("host", |group| group.name))
    }

    /// The same nodes, unless programs do not run on them.
    fn programs<'n>(&self, value: &Value, found: &'n [u32], problems: &mut Problems) -> Option<&'n [u32]> {
        let router = found.iter().map(|&node| &self.plan.nodes[node as usize]).find(|node| node.kind.forwards());
        if let Some(node) = router {
            problems.add(
                Diagnostic::error(Code::WrongRole, inner(value), format!("no programs run on `{}`", node.name))
                    .also(node.declared, "a `Router`")
                    .help("name a `Host` or a `Server`"),
            );
            return None;
        }
        Nodes::are_machines(value, found, self.plan, problems).then_some(found)
    }

    /// Who sends to whom: `from`, `to` and `pairing`.
    fn pairs(&self, programs: bool, problems: &mut Problems) -> Option<Vec<(u32, u32)>> {
        let end = |name: &str, problems: &mut Problems| {
            let value = self.fields.need(name, &self.example(), problems)?;
            let found = self.nodes.find(value, problems)?;
            if programs {
                self.programs(value, found, problems)
            } else if name == "from" {
                Nodes::are_machines(value, found, self.plan, problems).then_some(found)
            } else {
                Some(found)
            }
        };
        let (from, to) = (end("from", problems), end("to", problems));
        let pairing = self.fields.get("pairing");
        let pairing = match pairing {
            None => "Even",
            Some(value) => value::word(value, "`pairing`", &["Even", "Permutation", "AllToAll"], problems)?,
        };
        let (from, to) = (from?, to?);
        if from.len() == 1 && to.len() == 1 && pairing != "Permutation" {
            self.fields.no_effect("pairing", "both ends are single nodes", problems);
        }
        let span = self.fields.get("to").map_or(self.fields.span, inner);
        let pairs: Vec<(u32, u32)> = match pairing {
            "AllToAll" => from.iter().flat_map(|&a| to.iter().map(move |&b| (a, b))).filter(|(a, b)| a != b).collect(),
            "Permutation" => self.permutation(from, to, span, problems)?,
            _ => dealt(from, to, span, problems)?,
        };
        if pairs.is_empty() || pairs.iter().any(|(a, b)| a == b) {
            problems.add(
                Diagnostic::error(Code::Contradiction, span, format!("in `{}` a node would talk to itself", self.name))
                    .help("within one group, `pairing: Permutation` gives every member another one"),
            );
            return None;
        }
        Some(pairs)
    }

    /// Every member of a group gets another one of the same or of an equally large group, drawn from the scenario's seed.
    fn permutation(&self, from: &[u32], to: &[u32], span: Span, problems: &mut Problems) -> Option<Vec<(u32, u32)>> {
        if from.len() != to.len() || from.len() < 2 {
            problems.add(
                Diagnostic::error(Code::Contradiction, span, "a permutation needs two equally large groups")
                    .label(format!("{} to {}", from.len(), to.len()))
                    .help("`from` and `to` may be the same group"),
            );
            return None;
        }
        let mut rng = Rng::stream(self.plan.seed, &format!("traffic/{}/pairing", self.name));
        let mut targets = to.to_vec();
        // Sattolo's algorithm: one cycle through all, so nobody is paired with itself.
        for last in (1..targets.len()).rev() {
            let other = usize::try_from(rng.below(last as u64)).expect("an index");
            targets.swap(last, other);
        }
        Some(from.iter().copied().zip(targets).collect())
    }
}

/// Members dealt out evenly: one to one, or in equal blocks where one group is larger.
fn dealt(from: &[u32], to: &[u32], span: Span, problems: &mut Problems) -> Option<Vec<(u32, u32)>> {
    let (m, n) = (from.len(), to.len());
    if m == 0 || n == 0 {
        return None;
    }
    if !m.is_multiple_of(n) && !n.is_multiple_of(m) {
        problems.add(
            Diagnostic::error(Code::Contradiction, span, format!("{m} members cannot be dealt out evenly to {n}"))
                .help("`pairing: AllToAll` joins every member with every other"),
        );
        return None;
    }
    let most = m.max(n);
    Some((0..most).map(|index| (from[index * m / most], to[index * n / most])).collect())
}
