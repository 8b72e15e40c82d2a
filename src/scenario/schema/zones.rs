//! Zones: which names stand for which nodes, and who knows it.

mod names;

use super::form::{Fields, Form, list, similar};
use super::nodes::Nodes;
use super::{Problems, dist, inner, named_entries, value};
use crate::app::dns::Name;
use crate::base::Span as Duration;
use crate::scenario::ast::{Kind, Span, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Answers, Data, NodeKind, Plan, ROOT, Record, Rotation, Zone};
use crate::service::answers::TABLE;
use crate::topo::natural_order;
use std::collections::BTreeSet;

static ZONE: Form =
    Form { name: "zone", fields: &["A", "ttl", "negative_ttl", "rotation", "answers", "health", "names"] };
static NAME: Form = Form { name: "name", fields: &["A", "CNAME", "ttl"] };

pub(super) const FORMS: &[&Form] = &[&ZONE, &NAME];

/// A name of a zone where the scenario declares it.
struct Owner {
    /// The full name.
    name: String,
    /// Where it stands.
    declared: Span,
    /// Where it is said what it stands for.
    leads: Span,
}

/// How long answers are remembered unless the zone says otherwise, in seconds; how long "no such name" is.
const TTL: u32 = 300;
const NEGATIVE_TTL: u32 = 60;

/// Reads the zones into the plan, in natural order, and gives them to the authorities.
pub(super) fn read(value: Option<&Value>, nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    let entries = value.map(|value| named_entries(value, "zones", problems)).unwrap_or_default();
    let mut zones: Vec<(Zone, Span)> = Vec::new();
    let mut owners = Vec::new();
    let rooted = entries.iter().any(|&(name, ..)| name == ROOT);
    let names: Vec<&str> = entries.iter().map(|&(name, ..)| name).collect();
    for (name, span, entry) in entries {
        let apex = if name == ROOT { Some(ROOT.to_owned()) } else { domain(name, span, problems) };
        let Some(apex) = apex else { continue };
        if let Some((_, first)) = zones.iter().find(|(zone, _)| zone.apex == apex) {
            problems.add(twice(&apex, span, *first));
            continue;
        }
        let below = |other: &&str| *other != name && (name == ROOT || other.ends_with(&format!(".{apex}")));
        let delegates = rooted && names.iter().any(below);
        if let Some(zone) = zone(&apex, entry, delegates, nodes, &mut owners, problems) {
            zones.push((zone, span));
        }
    }
    zones.sort_by(|left, right| natural_order(&left.0.apex, &right.0.apex));
    let spans: Vec<Span> = zones.iter().map(|(_, span)| *span).collect();
    plan.zones = zones.into_iter().map(|(zone, _)| zone).collect();
    delegate(nodes, plan, problems);
    descend(plan);
    checked(&spans, plan, problems);
    names::check(&owners, plan, problems);
    if let (Some(value), false) = (value, plan.zones.is_empty()) {
        staff(value, &spans, nodes, plan, problems);
    }
}

/// A name that is there already, in other letters or with a final dot.
fn twice(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::error(Code::DuplicateName, span, format!("`{name}` is declared twice"))
        .also(first, "first here")
        .help("names have neither case nor, written in full, a final dot: keep one of them")
}

/// A domain name in lower case, without a final dot.
pub(super) fn domain(name: &str, span: Span, problems: &mut Problems) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    match name.parse::<Name>() {
        Ok(parsed) if !parsed.is_root() => Some(name),
        _ => {
            problems
                .add(Diagnostic::error(Code::BadName, span, format!("`{name}` is no domain name")).help(
                    "a domain name is written `shop.example`: labels of at most 63 characters with dots between",
                ));
            None
        }
    }
}

fn zone(
    apex: &str,
    entry: &Value,
    delegates: bool,
    nodes: &Nodes<'_>,
    owners: &mut Vec<Owner>,
    problems: &mut Problems,
) -> Option<Zone> {
    let fields = Fields::open(&ZONE, entry, problems)?;
    let ttl = fields.get("ttl").and_then(|value| ttl(value, problems)).unwrap_or(TTL);
    let negative_ttl = fields.get("negative_ttl").and_then(|value| self::ttl(value, problems));
    let rotation = fields.get("rotation").and_then(|value| {
        let name = value::word(value, "`rotation`", &["Cyclic", "Fixed", "Random"], problems)?;
        Some(match name {
            "Fixed" => Rotation::Fixed,
            "Random" => Rotation::Random,
            _ => Rotation::Cyclic,
        })
    });
    let answers = fields.get("answers").and_then(|value| answers(value, nodes, problems)).unwrap_or_default();
    let check = fields.get("health").and_then(|value| super::balancer::check_of(value, problems));
    let mut records = Vec::new();
    if let Some(value) = fields.get("A") {
        addresses(value, apex, ttl, nodes, &mut records, problems);
        owners.push(Owner { name: apex.to_owned(), declared: value.span, leads: value.span });
    }
    if let Some(value) = fields.get("names") {
        for (label, span, entry) in named_entries(value, "names", problems) {
            if label == "@" || label.is_empty() {
                problems.add(
                    Diagnostic::error(Code::BadName, span, "the zone's own addresses stand beside `names`")
                        .help("write `A: [..]` in the zone itself"),
                );
                continue;
            }
            if label == "*" || label.starts_with("*.") {
                problems.add(
                    Diagnostic::error(Code::Unsupported, span, "name servers here know no wildcards")
                        .help("write every name that is asked for"),
                );
                continue;
            }
            let full = if apex == ROOT { label.to_owned() } else { format!("{label}.{apex}") };
            let Some(name) = domain(&full, span, problems) else { continue };
            if let Some(first) = owners.iter().find(|other| other.name == name) {
                problems.add(twice(&name, span, first.declared));
                continue;
            }
            if let (Some(label), true) = (label.to_ascii_lowercase().strip_suffix(&format!(".{apex}")), apex != ROOT) {
                problems.add(
                    Diagnostic::warning(Code::BadName, span, format!("this stands for `{name}`"))
                        .help(format!("names are below their zone already: write `{label}` for `{label}.{apex}`")),
                );
            }
            let leads = name_in_zone(&name, entry, ttl, nodes, &mut records, problems);
            owners.push(Owner { leads: leads.unwrap_or(entry.span), name, declared: span });
        }
    }
    if records.is_empty() && apex == ROOT && !delegates {
        problems.add(
            Diagnostic::warning(Code::NoEffect, entry.span, "there is no zone below the root that it could lead to")
                .help("declare one: `zones: { \".\": (), \"shop.example\": (A: [..]) }`"),
        );
    } else if records.is_empty() && !delegates {
        problems.add(
            Diagnostic::error(Code::Empty, entry.span, format!("the zone `{apex}` has no names"))
                .help("give it `A: [\"node\"]` or `names: { \"www\": (A: [\"node\"]) }`"),
        );
    }
    let several = |name: &str| records.iter().filter(|record: &&Record| record.name == name).count() > 1;
    if !records.iter().any(|record| several(&record.name)) {
        let why = "no name has several addresses to choose from";
        ["answers", "health", "rotation"].into_iter().for_each(|name| fields.no_effect(name, why, problems));
    } else if answers != Answers::All {
        fields.no_effect("rotation", "one address is given at a time", problems);
    }
    if let (Answers::Failover, None, Some(value)) = (&answers, &check, fields.get("answers")) {
        problems.add(
            Diagnostic::warning(
                Code::NoEffect,
                value.span,
                "the first address is always given: nobody looks whether it is well",
            )
            .help("add `health: Http(path: \"/health\")`"),
        );
    }
    Some(Zone {
        answers,
        check,
        apex: apex.to_owned(),
        authorities: Vec::new(),
        ttl,
        negative_ttl: negative_ttl.unwrap_or(NEGATIVE_TTL),
        rotation: rotation.unwrap_or_default(),
        records,
        delegates: Vec::new(),
    })
}

/// Reads what a name stands for; where that is written.
fn name_in_zone(
    name: &str,
    entry: &Value,
    zone_ttl: u32,
    nodes: &Nodes<'_>,
    records: &mut Vec<Record>,
    problems: &mut Problems,
) -> Option<Span> {
    let fields = Fields::open(&NAME, entry, problems)?;
    let ttl = fields.get("ttl").and_then(|value| ttl(value, problems)).unwrap_or(zone_ttl);
    // RFC 1034 3.6.2: an alias has no other records.
    if !fields.at_most_one(&["A", "CNAME"], "an alias has no addresses of its own", problems) {
        return None;
    }
    if let Some(value) = fields.get("A") {
        addresses(value, name, ttl, nodes, records, problems);
        Some(value.span)
    } else if let Some(value) = fields.get("CNAME") {
        let target = value::text(value, "an alias", problems)?;
        let target = domain(target, inner(value), problems)?;
        records.push(Record { name: name.to_owned(), ttl, data: Data::Cname(target) });
        Some(inner(value))
    } else {
        problems.add(
            Diagnostic::error(Code::Empty, entry.span, format!("`{name}` stands for nothing"))
                .help("give it `A: [\"node\"]` or `CNAME: \"other.example\"`"),
        );
        None
    }
}

/// Which of several addresses are given.
fn answers(value: &Value, nodes: &Nodes<'_>, problems: &mut Problems) -> Option<Answers> {
    let names: Vec<&str> = TABLE.iter().map(|&(name, _)| name).collect();
    Some(match value::choice(value, "`answers`", &names, problems)? {
        "Failover" => value::bare(value, problems).map(|()| Answers::Failover)?,
        "Nearest" => value::bare(value, problems).map(|()| Answers::Nearest)?,
        "Weighted" => {
            let Some(weights) = dist::only(value) else {
                return value::wrong(
                    value,
                    "`Weighted` holds weights: `Weighted({ \"old\": 9, \"new\": 1 })`",
                    problems,
                );
            };
            let mut all = Vec::new();
            for (name, span, entry) in named_entries(weights, "weights", problems) {
                let weight = value::whole(entry, "a weight", 1..=1_000_000, problems)?;
                let weight = u32::try_from(weight).unwrap_or(u32::MAX);
                all.extend(nodes.find_name(name, span, problems)?.iter().map(|&node| (node, weight)));
            }
            Answers::Weighted(all)
        }
        _ => value::bare(value, problems).map(|()| Answers::All)?,
    })
}

/// A TTL in whole seconds, at most 2^31 - 1 (RFC 2181 8).
pub(super) fn ttl(value: &Value, problems: &mut Problems) -> Option<u32> {
    let span = value::span(value, "a TTL", problems)?;
    let second = Duration::from_secs(1).as_nanos();
    let seconds = u32::try_from(span.as_nanos() / second).ok().filter(|&seconds| seconds <= i32::MAX.unsigned_abs());
    if span.as_nanos() % second == 0 && seconds.is_some() {
        return seconds;
    }
    problems.add(
        Diagnostic::error(Code::OutOfRange, value.span, format!("a TTL cannot be {span}"))
            .help("DNS counts whole seconds, at most 2,147,483,647 of them"),
    );
    None
}

fn addresses(
    value: &Value,
    name: &str,
    ttl: u32,
    nodes: &Nodes<'_>,
    records: &mut Vec<Record>,
    problems: &mut Problems,
) {
    let values = value::each(value);
    if values.is_empty() {
        problems.add(Diagnostic::error(Code::Empty, value.span, format!("`{name}` has no addresses")));
    }
    let known = records.iter().filter(|record| record.name == name && record.ttl == ttl);
    let mut known: BTreeSet<u32> = known.filter_map(|record| record.data.node()).collect();
    for value in values {
        for &node in nodes.find(value, problems).unwrap_or_default() {
            if known.insert(node) {
                records.push(Record { name: name.to_owned(), ttl, data: Data::A(node) });
            } else {
                problems.add(Diagnostic::warning(
                    Code::NoEffect,
                    inner(value),
                    format!("`{name}` stands for this node already"),
                ));
            }
        }
    }
}

/// Addresses that are checked, weighed or ranked must allow it.
fn checked(spans: &[Span], plan: &Plan, problems: &mut Problems) {
    for (zone, &span) in plan.zones.iter().zip(spans) {
        for node in zone.nodes().into_iter().map(|node| &plan.nodes[node as usize]) {
            if zone.check.is_some() && node.kind.port().is_none() {
                let message = format!("`{}` has no port to check", node.name);
                problems.add(
                    Diagnostic::error(Code::WrongRole, span, message)
                        .also(node.declared, node.kind.described())
                        .help("`health` checks servers, balancers and stores"),
                );
            }
            if zone.answers == Answers::Nearest && node.place.is_none() {
                problems.add(
                    Diagnostic::error(Code::Contradiction, span, format!("`{}` has no place to be near to", node.name))
                        .also(node.declared, "declared here")
                        .help("give it `at`"),
                );
            }
        }
        if let Answers::Weighted(weights) = &zone.answers
            && let Some((other, _)) = weights.iter().find(|(node, _)| !zone.nodes().contains(node))
        {
            let node = &plan.nodes[*other as usize];
            problems.add(
                Diagnostic::error(Code::Contradiction, span, format!("the zone holds no address of `{}`", node.name))
                    .also(node.declared, "declared here")
                    .help("weights are for nodes in `A`"),
            );
        }
    }
}

/// Gives each zone to the authorities that name it; those that name none know all.
fn delegate(nodes: &Nodes<'_>, plan: &mut Plan, problems: &mut Problems) {
    let apexes: Vec<String> = plan.zones.iter().map(|zone| zone.apex.clone()).collect();
    for group in &nodes.groups {
        let is_authority = group
            .members
            .first()
            .is_some_and(|&node| matches!(plan.nodes[node as usize].kind, NodeKind::Authority { .. }));
        if !is_authority {
            continue;
        }
        let mut known: Vec<u32> = match group.zones {
            None => (0u32..).take(apexes.len()).collect(),
            Some(value) => zones_named(value, &apexes, problems),
        };
        known.sort_unstable();
        known.dedup();
        if known.is_empty() && group.zones.is_none() {
            problems.add(
                Diagnostic::warning(Code::NoEffect, group.span, format!("`{}` knows no zones", group.name))
                    .help("declare `zones: { \"shop.example\": (A: [..]) }`"),
            );
        }
        for &member in &group.members {
            plan.nodes[member as usize].kind = NodeKind::Authority { zones: known.clone() };
            known.iter().for_each(|&zone| plan.zones[zone as usize].authorities.push(member));
        }
    }
    plan.zones.iter_mut().for_each(|zone| zone.authorities.sort_unstable());
}

/// Where there is a root zone, each zone is delegated by the deepest one above it.
fn descend(plan: &mut Plan) {
    let zones = &plan.zones;
    if !zones.iter().any(|zone| zone.apex == ROOT) {
        return;
    }
    let above = |zone: &Zone| {
        let over = |(_, other): &(usize, &Zone)| other.apex != zone.apex && other.holds(&zone.apex);
        zones.iter().enumerate().filter(over).max_by_key(|(_, other)| other.apex.len()).map(|(index, _)| index)
    };
    let parents: Vec<Option<usize>> = zones.iter().map(above).collect();
    for (below, parent) in (0u32..).zip(parents) {
        if let Some(parent) = parent {
            plan.zones[parent].delegates.push(below);
        }
    }
}

fn zones_named(value: &Value, apexes: &[String], problems: &mut Problems) -> Vec<u32> {
    let Kind::List(items) = &value.kind else {
        value::wrong::<()>(value, "`zones` of an authority is a list of their names", problems);
        return Vec::new();
    };
    if items.is_empty() {
        problems.add(
            Diagnostic::error(Code::Empty, value.span, "this authority knows no zone: it would refuse every question")
                .help("name the zones that it knows, or leave `zones` out: then it knows all"),
        );
    }
    let mut known = Vec::new();
    for item in items {
        let Some(name) = value::text(item, "a zone", problems) else { continue };
        match (0u32..).zip(apexes).find(|(_, apex)| *apex == name) {
            Some((index, _)) => known.push(index),
            None => problems.add(
                Diagnostic::error(Code::UnknownHost, inner(item), format!("no zone is called `{name}`")).help(
                    match similar(name, apexes.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None if apexes.is_empty() => "declare it: `zones: { \"shop.example\": (A: [..]) }`".to_owned(),
                        None => format!("the zones are {}", list(apexes)),
                    },
                ),
            ),
        }
    }
    known
}

/// Zones need somebody who knows them, and users somebody whom they can ask.
fn staff(value: &Value, spans: &[Span], nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) {
    // Who is wanting is not known while some could not be read.
    if problems.has_errors() {
        return;
    }
    let has = |wanted: fn(&NodeKind) -> bool| plan.nodes.iter().any(|node| wanted(&node.kind));
    let near = nodes.groups.first().and_then(|group| {
        let node = group.members.first()?;
        plan.nodes[*node as usize].place.as_ref().map(|place| place.name.to_string())
    });
    let at = near.map_or(String::new(), |place| format!("at: \"{place}\""));
    if !has(|kind| matches!(kind, NodeKind::Authority { .. })) {
        problems.add(
            Diagnostic::error(Code::MissingField, value.span, "nobody knows the zones: there is no `Authority`")
                .help(format!("add to `nodes`: \"ns\": Authority({at}), and link it")),
        );
    } else if let Some((zone, span)) = plan.zones.iter().zip(spans).find(|(zone, _)| zone.authorities.is_empty()) {
        problems.add(
            Diagnostic::error(Code::MissingField, *span, format!("no `Authority` knows the zone `{}`", zone.apex))
                .help("name it in the `zones` of an authority, or let one know all by leaving `zones` out"),
        );
    }
    if !has(|kind| matches!(kind, NodeKind::Resolver(_))) {
        problems.add(
            Diagnostic::error(
                Code::MissingField,
                value.span,
                "nobody resolves names for users: there is no `Resolver`",
            )
            .help(format!("add to `nodes`: \"dns\": Resolver({at}), and link it")),
        );
    }
}
