//! Expectations: the law that every scenario states about its own outcome.

mod balancing;
mod bounds;
mod caching;

use super::form::{Fields, Form, list, similar};
use super::nodes::Nodes;
use super::{Problems, inner, value};
use crate::base::Time;
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Expect, Measure, NodeKind, Plan, Quantity, Statistic, TrafficKind, Way, Window};
use crate::service::bulk::Amount;
use crate::trace::Cause;
use bounds::bounds;

static LATENCY: Form =
    Form { name: "Latency", fields: &["of", "percentile", "statistic", "since", "until", "at_most", "at_least"] };
static PHASE: Form =
    Form { name: "Phase", fields: &["of", "phase", "statistic", "since", "until", "at_most", "at_least"] };
static SUCCESS: Form = Form { name: "Success", fields: &["of", "since", "until", "at_most", "at_least"] };
static DELIVERED: Form = Form { name: "Delivered", fields: &["of", "at_most", "at_least"] };
static TRIES: Form = Form { name: "Tries", fields: &["of", "at_most", "at_least"] };
static CHARGED_AGAIN: Form = Form { name: "ChargedAgain", fields: &["of", "at_most", "at_least"] };
static LOST_SESSIONS: Form = Form { name: "LostSessions", fields: &["of", "at_most", "at_least"] };
static COUNT: Form = Form { name: "Count", fields: &["of", "at_most", "at_least"] };
static GOODPUT: Form = Form { name: "Goodput", fields: &["of", "at_most", "at_least"] };
static DROPS: Form = Form { name: "Drops", fields: &["link", "from", "cause", "at_most", "at_least"] };
static DETECTED: Form = Form { name: "Detected", fields: &["fault", "by", "at_most", "at_least"] };
static RECOVERED: Form = Form { name: "Recovered", fields: &["of", "fault", "after", "at_most", "at_least"] };
static MARKS: Form = Form { name: "Marks", fields: &["link", "from", "at_most", "at_least"] };
static LOST_WRITES: Form = Form { name: "LostWrites", fields: &["store", "at_most", "at_least"] };
static STALE_READS: Form = Form { name: "StaleReads", fields: &["store", "at_most", "at_least"] };
static UTILISATION: Form = Form { name: "Utilisation", fields: &["link", "from", "at_most", "at_least"] };

pub(super) const FORMS: &[&Form] = &[
    &LATENCY,
    &PHASE,
    &SUCCESS,
    &DELIVERED,
    &TRIES,
    &CHARGED_AGAIN,
    &LOST_SESSIONS,
    &COUNT,
    &GOODPUT,
    &DROPS,
    &MARKS,
    &DETECTED,
    &RECOVERED,
    &UTILISATION,
    &balancing::BUSIEST,
    &balancing::SENT,
    &balancing::NOTICED,
    &caching::HIT_RATIO,
    &caching::FETCHES,
    &caching::OUTDATED,
    &caching::PURGED,
    &LOST_WRITES,
    &STALE_READS,
];

/// The phases into which the latencies of each kind of traffic divide, as results name them.
#[must_use]
pub const fn phases(kind: &TrafficKind) -> &'static [&'static str] {
    match kind {
        TrafficKind::Http(_) | TrafficKind::Objects(_) | TrafficKind::Lookups(_) => &REQUEST_PHASES,
        TrafficKind::Messages(_) => &MESSAGE_PHASES,
        TrafficKind::Ping(_) | TrafficKind::Traceroute(_) => &ECHO_PHASES,
        TrafficKind::Bulk(bulk) => match bulk.amount {
            Amount::Bytes(_) => &REQUEST_PHASES,
            Amount::For(_) => &BULK_PHASES,
        },
    }
}

const REQUEST_PHASES: [&str; 27] = [
    "held",
    "backoff",
    "earlier_tries",
    "dead_connection",
    "dns",
    "connect",
    "tls",
    "read_first",
    "request_wait",
    "request_recovery",
    "request_serialisation",
    "request_queueing",
    "request_propagation",
    "request_reorder_wait",
    "server_queue",
    "server_calls",
    "server_core_wait",
    "server_work",
    "unobserved",
    "response_wait",
    "response_recovery",
    "response_serialisation",
    "response_queueing",
    "response_propagation",
    "response_reorder_wait",
    "read_wait",
    "unanswered",
];
const MESSAGE_PHASES: [&str; 6] =
    ["sender_wait", "recovery", "serialisation", "queueing", "propagation", "reorder_wait"];
const ECHO_PHASES: [&str; 4] = ["serialisation", "queueing", "propagation", "turnaround"];
const BULK_PHASES: [&str; 1] = ["transfer"];

/// Reads the expectations into the plan.
pub(super) fn read(value: &Value, nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    let Kind::List(items) = &value.kind else {
        value::wrong::<()>(value, "expectations are a list: [Success(of: \"pages\", at_least: \"99%\")]", problems);
        return;
    };
    for item in items {
        if let Some((measure, window)) = measure(item, nodes, plan, problems) {
            plan.expect.push(Expect { declared: item.span, window, measure });
        }
    }
}

/// What is measured, and the part of the run that it is about, if not all.
fn measure(item: &Value, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<(Measure, Option<Window>)> {
    let names: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
    let kind = value::choice(item, "an expectation", &names, problems)?;
    let form = FORMS.iter().find(|form| form.name == kind)?;
    let fields = Fields::open(form, item, problems)?;
    let windowed = form.fields.contains(&"since");
    let all = Window { since: Time::ZERO, until: Time::NEVER };
    let window = if windowed { window(&fields, plan, problems)? } else { all };
    let window = (window != all).then_some(window);
    Some((whole(kind, &fields, nodes, plan, problems)?, window))
}

/// The part of the run between `since` and `until`.
fn window(fields: &Fields<'_>, plan: &Plan, problems: &mut Problems) -> Option<Window> {
    let instant = |name: &str, problems: &mut Problems| match fields.get(name) {
        None => Some(None),
        Some(value) => value::span(value, &format!("`{name}`"), problems).map(|span| Some(Time::ZERO + span)),
    };
    let (since, until) = (instant("since", problems), instant("until", problems));
    let window = Window { since: since?.unwrap_or(Time::ZERO), until: until?.unwrap_or(Time::NEVER) };
    if window.until != Time::NEVER && window.until > Time::ZERO + plan.run_for {
        fields.no_effect("until", &format!("the run ends after {} anyway", plan.run_for), problems);
    }
    if window.since >= window.until || window.since >= Time::ZERO + plan.run_for {
        problems.add(
            Diagnostic::error(Code::NeverStarts, fields.span, "this part of the run has no time in it")
                .label(format!("the run ends after {}", plan.run_for))
                .help("`since` is an instant of the run, before `until` and before the end"),
        );
        return None;
    }
    Some(window)
}

fn whole(kind: &str, fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<Measure> {
    match kind {
        "Latency" => {
            let of = traffic(fields, plan, problems);
            let at = statistic(fields, problems);
            let bounds = bounds(fields, "\"450ms\"", value::span, problems);
            Some(Measure::Latency { of: of?, at: at?, bounds: bounds? })
        }
        "Phase" => {
            let of = traffic(fields, plan, problems);
            let phase = phase(fields, of, plan, problems);
            let at = phase_statistic(fields, problems);
            let bounds = bounds(fields, "\"56ms\"", value::span, problems);
            Some(Measure::Phase { of: of?, phase: phase?, at: at?, bounds: bounds? })
        }
        "Success" | "Delivered" => {
            let of = traffic(fields, plan, problems);
            let bounds = bounds(fields, "\"99%\"", value::ratio, problems);
            Some(Measure::Success { of: of?, bounds: bounds? })
        }
        "Tries" => {
            let of = requests(fields, plan, problems);
            let tries =
                |value: &Value, what: &str, problems: &mut Problems| value::real(value, what, 0.0..=1e9, problems);
            let bounds = bounds(fields, "1.2", tries, problems);
            Some(Measure::Tries { of: of?, bounds: bounds? })
        }
        "ChargedAgain" => {
            let of = payments(fields, plan, problems);
            let count =
                |value: &Value, what: &str, problems: &mut Problems| value::whole(value, what, 0..=u64::MAX, problems);
            let bounds = bounds(fields, "0", count, problems);
            Some(Measure::ChargedAgain { of: of?, bounds: bounds? })
        }
        "LostSessions" => {
            let of = sessions(fields, plan, problems);
            let bounds = bounds(fields, "\"1%\"", value::ratio, problems);
            Some(Measure::LostSessions { of: of?, bounds: bounds? })
        }
        "Count" => {
            let of = traffic(fields, plan, problems);
            let count =
                |value: &Value, what: &str, problems: &mut Problems| value::whole(value, what, 0..=u64::MAX, problems);
            let bounds = bounds(fields, "100", count, problems);
            Some(Measure::Count { of: of?, bounds: bounds? })
        }
        "Goodput" => {
            let of = traffic(fields, plan, problems);
            let bounds = bounds(fields, "\"90Mbps\"", value::rate, problems);
            Some(Measure::Goodput { of: of?, bounds: bounds? })
        }
        "LostWrites" => {
            let store = store(fields, nodes, plan, problems);
            let count =
                |value: &Value, what: &str, problems: &mut Problems| value::whole(value, what, 0..=u64::MAX, problems);
            let bounds = bounds(fields, "0", count, problems);
            Some(Measure::LostWrites { store: store?, bounds: bounds? })
        }
        "StaleReads" => {
            let store = store(fields, nodes, plan, problems);
            let bounds = bounds(fields, "\"1%\"", value::ratio, problems);
            Some(Measure::StaleReads { store: store?, bounds: bounds? })
        }
        "Drops" => {
            let link = link(fields, nodes, plan, problems);
            let cause = fields.get("cause").and_then(|value| cause(value, problems));
            let bounds = bounds(fields, "0", quantity, problems);
            let (link, way) = link?;
            Some(Measure::Drops { link, way, cause, bounds: bounds? })
        }
        "Detected" => {
            let fault = fault(fields, plan, problems);
            let by = fields.get("by").map(|value| machine(value, nodes, plan, problems));
            let bounds = bounds(fields, "\"1s\"", value::span, problems);
            Some(Measure::Detected { fault: fault?, by: by.map_or(Some(None), |by| by.map(Some))?, bounds: bounds? })
        }
        "Recovered" => {
            let of = traffic(fields, plan, problems);
            let fault = fault(fields, plan, problems);
            let after = fields.get("after").map(|value| value::word(value, "`after`", &["Strike", "Heal"], problems));
            let from_heal = after.map_or(Some(false), |after| after.map(|after| after == "Heal"));
            let bounds = bounds(fields, "\"3s\"", value::span, problems);
            Some(Measure::Recovered { of: of?, fault: fault?, from_heal: from_heal?, bounds: bounds? })
        }
        "Marks" => {
            let link = link(fields, nodes, plan, problems);
            let bounds = bounds(fields, "100", quantity, problems);
            let (link, way) = link?;
            Some(Measure::Marks { link, way, bounds: bounds? })
        }
        "Busiest" | "Sent" | "Noticed" => balancing::measure(kind, fields, nodes, plan, problems),
        "HitRatio" | "Fetches" | "Outdated" | "Purged" => caching::measure(kind, fields, nodes, plan, problems),
        _ => {
            let link = link(fields, nodes, plan, problems);
            let bounds = bounds(fields, "\"90%\"", value::ratio, problems);
            let (link, way) = link?;
            Some(Measure::Utilisation { link, way, bounds: bounds? })
        }
    }
}

/// The store that `store` names, by any of its members.
fn store(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let value = fields.need("store", "\"db\"", problems)?;
    let &number = nodes.find(value, problems)?.first()?;
    let node = &plan.nodes[number as usize];
    match &node.kind {
        NodeKind::Store(member) => return Some(member.store),
        // A node of a cluster stands for its shard.
        NodeKind::Cluster(_) => {
            return (0u32..)
                .zip(&plan.stores)
                .find_map(|(index, store)| store.members.contains(&number).then_some(index));
        }
        _ => {}
    }
    problems.add(
        Diagnostic::error(Code::WrongRole, inner(value), format!("`{}` is no store", node.name))
            .also(node.declared, node.kind.described())
            .help("name a node declared as `Store(..)`"),
    );
    None
}

fn traffic(fields: &Fields<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let known: Vec<&str> = plan.traffic.iter().map(|traffic| &*traffic.name).collect();
    let example = known.first().map_or("\"pages\"".to_owned(), |name| format!("\"{name}\""));
    let value = fields.need("of", &example, problems)?;
    let name = value::text(value, "`of`", problems)?;
    if let Some((index, _)) = (0u32..).zip(&known).find(|(_, known)| **known == name) {
        // Of what could not be read nobody knows what may be expected.
        return plan.written.traffic.contains(&index).then_some(index);
    }
    let diagnostic = Diagnostic::error(Code::UnknownTraffic, inner(value), format!("no traffic is called `{name}`"));
    let near = similar(name, known.iter().copied());
    problems.add(match plan.traffic.iter().find(|traffic| Some(&*traffic.name) == near) {
        Some(traffic) => diagnostic
            .also(traffic.declared, "traffic with a similar name is declared here")
            .help(format!("did you mean `{}`?", traffic.name)),
        None if known.is_empty() => diagnostic.help("there is none"),
        None => diagnostic.help(format!("there is {}", list(&known))),
    });
    None
}

/// The name of a fault.
fn fault(fields: &Fields<'_>, plan: &Plan, problems: &mut Problems) -> Option<String> {
    let known = || plan.faults.iter().map(|fault| &*fault.fault.name);
    let example = known().next().map_or("\"cut a-b\"".to_owned(), |name| format!("\"{name}\""));
    let value = fields.need("fault", &example, problems)?;
    let name = value::text(value, "`fault`", problems)?;
    if known().any(|known| known == name) {
        return Some(name.to_owned());
    }
    let diagnostic = Diagnostic::error(Code::UnknownFault, inner(value), format!("no fault is called `{name}`"));
    let near = similar(name, known());
    problems.add(match plan.faults.iter().find(|fault| Some(&*fault.fault.name) == near) {
        Some(fault) => diagnostic
            .also(fault.declared, "a fault with a similar name is declared here")
            .help(format!("did you mean `{}`?", fault.fault.name)),
        None if plan.faults.is_empty() => diagnostic.help("nothing breaks: there are no `faults`"),
        None => diagnostic.help(format!("the faults are {}", list(&known().collect::<Vec<_>>()))),
    });
    None
}

/// The name of one machine.
fn machine(value: &Value, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<String> {
    match nodes.find(value, problems)? {
        [node] => Some(plan.nodes[*node as usize].name.clone()),
        several => {
            let first = several.first().map_or("", |&node| &*plan.nodes[node as usize].name);
            problems.add(
                Diagnostic::error(Code::WrongShape, inner(value), "one machine is meant, and this is a group")
                    .help(format!("name one of them: `{first}`")),
            );
            None
        }
    }
}

/// The traffic that `of` names, which must consist of HTTP requests: nothing else is tried again.
fn requests(fields: &Fields<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let of = traffic(fields, plan, problems)?;
    let traffic = &plan.traffic[of as usize];
    if matches!(traffic.kind, TrafficKind::Http(_)) {
        return Some(of);
    }
    let at = fields.get("of").map_or(fields.span, inner);
    problems.add(
        Diagnostic::error(Code::WrongRole, at, format!("`{}` does not consist of HTTP requests", traffic.name))
            .also(traffic.declared, "declared here")
            .help("only HTTP requests have tries"),
    );
    None
}

/// The traffic that `of` names, whose requests must pay something.
fn payments(fields: &Fields<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let of = requests(fields, plan, problems)?;
    let traffic = &plan.traffic[of as usize];
    if matches!(&traffic.kind, TrafficKind::Http(http) if http.pays.is_some()) {
        return Some(of);
    }
    let at = fields.get("of").map_or(fields.span, inner);
    problems.add(
        Diagnostic::error(Code::WrongRole, at, format!("the requests of `{}` pay nothing", traffic.name))
            .also(traffic.declared, "declared here")
            .help("give it `pays: 1999` (cents)"),
    );
    None
}

/// The traffic that `of` names, for whose users a server must keep sessions.
fn sessions(fields: &Fields<'_>, plan: &Plan, problems: &mut Problems) -> Option<u32> {
    let of = requests(fields, plan, problems)?;
    let traffic = &plan.traffic[of as usize];
    if matches!(&traffic.kind, TrafficKind::Http(http) if plan.keeps_sessions(http)) {
        return Some(of);
    }
    // Whom they are passed to is not known while it could not be read.
    if problems.has_errors() {
        return None;
    }
    let at = fields.get("of").map_or(fields.span, inner);
    problems.add(
        Diagnostic::error(Code::WrongRole, at, format!("no server keeps sessions for `{}`", traffic.name))
            .also(traffic.declared, "declared here")
            .help("give the server `session: (cookie: \"cart\")`, for a path that they ask for"),
    );
    None
}

fn statistic(fields: &Fields<'_>, problems: &mut Problems) -> Option<Statistic> {
    if !fields.at_most_one(&["percentile", "statistic"], "each says which latency is meant", problems) {
        return None;
    }
    if let Some(value) = fields.get("statistic") {
        let name = value::word(value, "`statistic`", &["Min", "Mean", "Median", "Max"], problems)?;
        return Some(match name {
            "Min" => Statistic::Min,
            "Mean" => Statistic::Mean,
            "Median" => Statistic::Percentile(crate::base::Ratio::new(0.5)?),
            _ => Statistic::Max,
        });
    }
    let value = fields.need("percentile", "\"99%\"", problems)?;
    let ratio = value::ratio(value, "`percentile`", problems)?;
    if ratio.is_zero() || ratio.get() >= 1.0 {
        problems.add(
            Diagnostic::error(Code::OutOfRange, value.span, format!("{ratio} is no percentile"))
                .help("write `statistic: Min` or `statistic: Max`"),
        );
        return None;
    }
    Some(Statistic::Percentile(ratio))
}

fn phase_statistic(fields: &Fields<'_>, problems: &mut Problems) -> Option<Statistic> {
    let Some(value) = fields.get("statistic") else { return Some(Statistic::Mean) };
    let name = value::word(value, "`statistic` of a phase", &["Mean", "Median"], problems)?;
    Some(if name == "Mean" { Statistic::Mean } else { Statistic::Percentile(crate::base::Ratio::new(0.5)?) })
}

fn phase(fields: &Fields<'_>, of: Option<u32>, plan: &Plan, problems: &mut Problems) -> Option<&'static str> {
    let value = fields.need("phase", "\"connect\"", problems)?;
    let known = phases(&plan.traffic.get(of? as usize)?.kind);
    value::named(value, "a phase of this traffic", known.iter().map(|&phase| (phase, phase)), problems)
}

/// The index of the link that a value names.
pub(super) fn find_link(value: &Value, plan: &Plan, problems: &mut Problems) -> Option<usize> {
    let known = || plan.links.iter().map(|link| &*link.name);
    let name = value::text(value, "a link", problems)?;
    if let Some(index) = known().position(|known| known == name) {
        return Some(index);
    }
    let diagnostic = Diagnostic::error(Code::UnknownLink, inner(value), format!("no link is called `{name}`"));
    let near = similar(name, known());
    problems.add(match plan.links.iter().find(|link| Some(&*link.name) == near) {
        Some(link) => diagnostic
            .also(link.declared, "a link with a similar name is declared here")
            .help(format!("did you mean `{}`?", link.name)),
        None if plan.links.len() > 12 => diagnostic.help("a link is called `a-b` after its ends, or by its `name`"),
        None => diagnostic.help(format!("the links are {}", list(&known().collect::<Vec<_>>()))),
    });
    None
}

/// The link, and the direction if `from` names one of its ends.
fn link(fields: &Fields<'_>, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<(u32, Option<Way>)> {
    let example = plan.links.first().map_or("\"a-b\"".to_owned(), |link| format!("\"{}\"", link.name));
    let value = fields.need("link", &example, problems)?;
    let index = find_link(value, plan, problems)?;
    let name = &plan.links[index].name;
    let link = &plan.links[index];
    let way = match fields.get("from") {
        None => None,
        Some(value) => match nodes.find(value, problems)? {
            [end] if *end == link.a => Some(Way::AToB),
            [end] if *end == link.b => Some(Way::BToA),
            _ => {
                let ends = [link.a, link.b].map(|end| &*plan.nodes[end as usize].name);
                problems.add(
                    Diagnostic::error(
                        Code::Contradiction,
                        inner(value),
                        format!("the link `{name}` does not end here"),
                    )
                    .help(format!("its ends are {}", list(&ends))),
                );
                return None;
            }
        },
    };
    Some((u32::try_from(index).ok()?, way))
}

fn cause(value: &Value, problems: &mut Problems) -> Option<Cause> {
    // Those that links themselves have.
    const KNOWN: [Cause; 8] = [
        Cause::Partitioned,
        Cause::QueueFull,
        Cause::EarlyDrop,
        Cause::Policed,
        Cause::Loss,
        Cause::Corrupted,
        Cause::Down,
        Cause::TooBig,
    ];
    value::named(value, "a cause", KNOWN.iter().map(|&cause| (cause.name(), cause)), problems)
}

fn quantity(value: &Value, what: &str, problems: &mut Problems) -> Option<Quantity> {
    match value.kind {
        Kind::Number(_) => value::whole(value, what, 0..=u64::MAX, problems).map(Quantity::Count),
        _ => value::ratio(value, what, problems).map(Quantity::Share),
    }
}
