//! Faults: what breaks, when, and for how long. A kind of fault is a file here, which says of which effects it consists.

mod bandwidth;
mod corruption;
mod crash;
mod cut;
mod dns;
mod latency;
mod loss;
mod partition;
mod router;
mod slow;
mod targets;
mod timing;

use super::form::{Fields, Form};
use super::nodes::Nodes;
use super::{Problems, check_name, inner, value};
use crate::base::Time;
use crate::fault::{Effect, Fault, Schedule};
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{self, Plan, Routing};
use crate::topo::natural_order;

/// The fields of a fault: its own, then those that say when.
macro_rules! fields {
    ($($own:literal),*) => { &[$($own,)* "name", "at", "for", "every", "until", "mtbf", "mttr"] };
}
use fields;

/// A kind of fault.
struct Breakage {
    form: &'static Form,
    /// What it does, for people who look for one.
    line: &'static str,
    /// Reads what it strikes and what it does.
    read: fn(&Context<'_, '_>, &mut Problems) -> Option<Struck>,
}

/// What a kind of fault reads from.
struct Context<'f, 'a> {
    fields: &'f Fields<'a>,
    nodes: &'f Nodes<'a>,
    plan: &'f Plan,
}

/// Warns of a share of nothing.
fn nothing(value: &Value, what: &str, problems: &mut Problems) {
    problems.add(
        Diagnostic::warning(Code::NoEffect, value.span, format!("this fault has no effect: {what}"))
            .help("give it a share above 0 %"),
    );
}

/// What a fault strikes, in words for its name, and what it does.
struct Struck {
    name: String,
    effects: Vec<Effect>,
}

/// Every kind of fault.
const KINDS: &[&Breakage] = &[
    &cut::CUT,
    &loss::LOSS_BURST,
    &latency::LATENCY_SPIKE,
    &bandwidth::BANDWIDTH_DROP,
    &corruption::CORRUPTION_BURST,
    &partition::PARTITION,
    &router::ROUTER_FAILURE,
    &crash::CRASH,
    &slow::SLOW,
    &dns::DNS_OUTAGE,
    &dns::STALE_DNS,
    &dns::TTL_OVERRIDE,
];

static ROUTING: Form = Form { name: "routing", fields: &["reconverge", "stagger"] };

pub(super) const FORMS: &[&Form] = &[
    cut::CUT.form,
    loss::LOSS_BURST.form,
    latency::LATENCY_SPIKE.form,
    bandwidth::BANDWIDTH_DROP.form,
    corruption::CORRUPTION_BURST.form,
    partition::PARTITION.form,
    router::ROUTER_FAILURE.form,
    crash::CRASH.form,
    slow::SLOW.form,
    dns::DNS_OUTAGE.form,
    dns::STALE_DNS.form,
    dns::TTL_OVERRIDE.form,
    &ROUTING,
];

/// Every kind of fault with a line about it, for `lightlag list faults`.
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().map(|kind| (kind.form.name, kind.line))
}

/// Reads the faults into the plan, in the natural order of their names.
pub(super) fn read(value: &Value, nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    let Kind::List(items) = &value.kind else {
        value::wrong::<()>(value, "faults are a list: [Cut(link: \"a-b\", at: \"10s\", for: \"5s\")]", problems);
        return;
    };
    let mut faults: Vec<plan::Fault> = Vec::new();
    for item in items {
        let Some(mut fault) = fault(item, nodes, plan, problems) else { continue };
        let given = fault.fault.name.clone();
        let mut number = 1;
        while let Some(other) = faults.iter().find(|other| other.fault.name == fault.fault.name) {
            if fault.named {
                problems.add(
                    Diagnostic::error(Code::DuplicateName, item.span, format!("a fault is called `{given}` already"))
                        .also(other.declared, "here"),
                );
                break;
            }
            number += 1;
            fault.fault.name = format!("{given}#{number}");
        }
        judge_timing(&fault, plan, problems);
        faults.push(fault);
    }
    let mut order: Vec<usize> = (0..faults.len()).collect();
    order.sort_by(|&left, &right| natural_order(&faults[left].fault.name, &faults[right].fault.name));
    plan.written.faults = vec![0; faults.len()];
    for (index, &old) in (0u32..).zip(&order) {
        plan.written.faults[old] = index;
    }
    plan.faults = order.into_iter().map(|old| faults[old].clone()).collect();
}

fn fault(item: &Value, nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) -> Option<plan::Fault> {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.form.name).collect();
    let name = value::choice(item, "a fault", &names, problems)?;
    let kind = KINDS.iter().find(|kind| kind.form.name == name)?;
    let fields = Fields::open(kind.form, item, problems)?;
    let schedule = timing::read(&fields, problems);
    let struck = (kind.read)(&Context { fields: &fields, nodes, plan }, problems);
    let given = fields.get("name").and_then(|value| {
        let name = value::text(value, "a fault's name", problems)?;
        check_name(name, inner(value), problems).then_some(name)
    });
    let (schedule, struck) = (schedule?, struck?);
    let fault = Fault { name: given.map_or(struck.name, str::to_owned), schedule, effects: struck.effects };
    Some(plan::Fault { declared: item.span, kind: kind.form.name, named: given.is_some(), fault })
}

/// Faults that come too late, or whose end does.
fn judge_timing(fault: &plan::Fault, plan: &Plan, problems: &mut Problems) {
    let run = Time::ZERO + plan.run_for;
    let name = &fault.fault.name;
    if fault.fault.schedule.first() >= run {
        let message = format!("`{name}` never strikes: the run ends after {}", plan.run_for);
        problems.add(
            Diagnostic::warning(Code::NeverStarts, fault.declared, message)
                .help("let it strike earlier, or give the scenario a longer `run_for`"),
        );
    } else if let Some(end) = fault.fault.schedule.first_end().filter(|&end| end >= run) {
        let message = format!("the run ends after {} while `{name}` still lasts", plan.run_for);
        problems.add(
            Diagnostic::warning(Code::RunTooShort, fault.declared, message)
                .label(format!("it is over at {}", end.since(Time::ZERO)))
                .help("leave `for` out if it is not to heal, or give the scenario a longer `run_for`"),
        );
    } else if let Schedule::Every { until: Some(until), .. } | Schedule::Random { until: Some(until), .. } =
        fault.fault.schedule
        && until > run
    {
        let message = format!("`{name}` goes on until {}, and the run ends before", until.since(Time::ZERO));
        problems.add(
            Diagnostic::warning(Code::RunTooShort, fault.declared, message)
                .help("leave `until` out if it is not to end"),
        );
    }
}

/// Reads how routing follows what fails.
pub(super) fn routing(value: &Value, problems: &mut Problems) -> Option<Routing> {
    let fields = Fields::open(&ROUTING, value, problems)?;
    let mut routing = Routing::default();
    if let Some(value) = fields.get("reconverge") {
        routing.reconverge = value::span(value, "`reconverge`", problems)?;
    }
    if let Some(value) = fields.get("stagger") {
        routing.stagger = value::span(value, "`stagger`", problems)?;
    }
    Some(routing)
}
