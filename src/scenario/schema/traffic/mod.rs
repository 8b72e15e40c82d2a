//! Traffic: who asks whom for what, when it starts and when it ends.

mod http;
mod others;

use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::{Problems, check_name, inner, named_entries, queue, value};
use crate::base::{Rng, Time};
use crate::ip::natural_order;
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{NodeKind, Plan, Traffic, TrafficKind};
use crate::service::Limit;
use crate::wire::Dscp;

pub(super) const FORMS: &[&Form] = &[
    &http::HTTP,
    &http::POOL,
    &http::CLOSED,
    &others::BULK,
    &others::MESSAGES,
    &others::OBJECTS,
    &others::PING,
    &others::TRACEROUTE,
];

const KINDS: &[&str] = &["Http", "Bulk", "Messages", "Objects", "Ping", "Traceroute"];

/// Receivers of transfers and messages listen here, each traffic on a port of its own.
const FIRST_PORT: u16 = 5_001;
/// Local ports that clients take begin at 32,768.
const MOST_TRAFFIC: usize = 20_000;

/// Reads the traffic into the plan, in natural order.
pub(super) fn read(value: Option<&Value>, nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    let Some(value) = value else { return };
    let mut entries = Vec::new();
    for (position, entry) in named_entries(value, "traffic", problems).into_iter().enumerate() {
        entries.push((entry, position));
    }
    if entries.is_empty() && matches!(value.kind, Kind::Map(_)) {
        problems.add(
            Diagnostic::error(Code::Empty, value.span, "there is no traffic: nothing would happen")
                .help("add for instance `\"echo\": Ping(from: \"a\", to: \"b\")`"),
        );
    }
    if entries.len() > MOST_TRAFFIC {
        let message = format!("{} kinds of traffic are more than there are ports", entries.len());
        problems.add(Diagnostic::error(Code::OutOfRange, value.span, message).help("use groups of hosts"));
        return;
    }
    entries.sort_by(|(left, _), (right, _)| natural_order(left.0, right.0));
    plan.written.traffic = vec![0; entries.len()];
    for ((name, span, entry), position) in entries {
        check_name(name, span, problems);
        let index = u32::try_from(plan.traffic.len()).expect("at most 20,000");
        let Some(traffic) = traffic(name, span, entry, nodes, plan, problems) else {
            // So that expectations about it are not wrong too.
            plan.written.traffic[position] = u32::MAX;
            plan.traffic.push(unreadable(name, span));
            continue;
        };
        plan.written.traffic[position] = index;
        plan.traffic.push(traffic);
    }
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
        "Ping" => TrafficKind::Ping(others::ping(&reading, problems)?),
        _ => TrafficKind::Traceroute(others::traceroute(&reading, problems)?),
    };
    Some(Traffic { name: name.to_owned(), declared: span, start: reading.start, dscp, kind })
}

/// One traffic while it is read.
struct Reading<'r, 'a> {
    name: &'r str,
    fields: &'r Fields<'a>,
    nodes: &'r Nodes<'a>,
    plan: &'r Plan,
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

    /// The hosts that make it.
    fn from(&self, problems: &mut Problems) -> Option<&[u32]> {
        let value = self.fields.need("from", &self.example(), problems)?;
        let found = self.nodes.find(value, problems)?;
        self.ends(value, found, problems)
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
    fn ends<'n>(&self, value: &Value, found: &'n [u32], problems: &mut Problems) -> Option<&'n [u32]> {
        let router = found.iter().map(|&node| &self.plan.nodes[node as usize]).find(|node| node.kind.forwards());
        if let Some(node) = router {
            problems.add(
                Diagnostic::error(Code::WrongRole, inner(value), format!("no programs run on `{}`", node.name))
                    .also(node.declared, "a `Router`")
                    .help("name a `Host` or a `Server`"),
            );
            return None;
        }
        Some(found)
    }

    /// Who sends to whom: `from`, `to` and `pairing`.
    fn pairs(&self, programs: bool, problems: &mut Problems) -> Option<Vec<(u32, u32)>> {
        let end = |name: &str, problems: &mut Problems| {
            let value = self.fields.need(name, &self.example(), problems)?;
            let found = self.nodes.find(value, problems)?;
            if programs { self.ends(value, found, problems) } else { Some(found) }
        };
        let (from, to) = (end("from", problems), end("to", problems));
        let pairing = self.fields.get("pairing");
        let pairing = match pairing {
            None => "Even",
            Some(value) => value::choice(value, "`pairing`", &["Even", "Permutation", "AllToAll"], problems)?,
        };
        let (from, to) = (from?, to?);
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
