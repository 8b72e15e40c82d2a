//! Where the names of all zones lead, and whether a message holds what they stand for.

use super::Owner;
use crate::app::dns::{Data as Rdata, Kind, MAX_MESSAGE, Message, Name, Question, Rcode, Record};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Answers, End, MOST_ALIASES, Plan, Trail};
use crate::scenario::schema::Problems;
use crate::scenario::schema::form::{list, similar};
use std::net::Ipv4Addr;

/// Reports names that nobody finds, and those that no answer holds.
pub(super) fn check(owners: &[Owner], plan: &Plan, problems: &mut Problems) {
    let mut circles: Vec<&str> = Vec::new();
    let mut long = false;
    for owner in owners {
        if hidden(owner, plan, problems) {
            continue;
        }
        let trail = plan.follow(&owner.name);
        match trail.end {
            End::At(ref nodes) => fits(owner, &trail, nodes.len(), plan, problems),
            // What leads on is another name's fault.
            End::Nowhere if trail.names.len() == 2 => nowhere(owner, trail.names[1], plan, problems),
            End::Circle if trail.names.last() == trail.names.first() && !circles.contains(&&*owner.name) => {
                circles.extend(&trail.names);
                let shown = list(&trail.names).replace("`, `", "`, then `");
                problems.add(
                    Diagnostic::error(Code::Contradiction, owner.leads, "these aliases lead back to themselves")
                        .label(shown)
                        .help("let one of them have an address: `A: [\"node\"]`"),
                );
            }
            End::TooLong if !long => {
                long = true;
                let message = format!("more than {MOST_ALIASES} aliases come one after the other from here");
                problems.add(
                    Diagnostic::error(Code::Unsupported, owner.leads, message)
                        .label(format!("the last that a resolver follows is `{}`", trail.names[MOST_ALIASES]))
                        .help("write the name at their end"),
                );
            }
            End::Nowhere | End::Circle | End::TooLong => {}
        }
    }
}

/// Warns of a name that lies in a deeper zone, which answers for it and does not know it from here.
fn hidden(owner: &Owner, plan: &Plan, problems: &mut Problems) -> bool {
    let holds = |zone: &crate::scenario::plan::Zone| zone.records.iter().any(|record| record.name == owner.name);
    // Where it could not be read, it is in no zone at all.
    let Some(zone) = plan.zone_of(&owner.name).filter(|zone| !holds(zone)) else { return false };
    if plan.zones.iter().any(holds) {
        let message = format!("nobody is told this: the zone `{}` answers for `{}`", zone.apex, owner.name);
        problems.add(
            Diagnostic::warning(Code::NoEffect, owner.declared, message)
                .help(format!("declare the name in the zone `{}`", zone.apex)),
        );
    }
    true
}

/// Reports an alias of a name that is not there.
fn nowhere(owner: &Owner, target: &str, plan: &Plan, problems: &mut Problems) {
    let message = match plan.zone_of(target) {
        Some(zone) => format!("the zone `{}` has no name `{target}`", zone.apex),
        None => format!("`{target}` is in no zone"),
    };
    let known = plan.zones.iter().flat_map(|zone| &zone.records).map(|record| &*record.name);
    let known = known.filter(|&name| name != owner.name && matches!(plan.follow(name).end, End::At(_)));
    let help = if target.parse::<Ipv4Addr>().is_ok() {
        "an alias leads to a name, not to an address; write the node: `A: [\"node\"]`".to_owned()
    } else if plan.nodes.iter().any(|node| node.name == target) {
        format!("an alias leads to a name; for the address of a node write `A: [\"{target}\"]`")
    } else if let Some(near) = similar(target, known) {
        format!("did you mean `{near}`?")
    } else {
        format!("declare `{target}` in a zone, or lead `{}` to a name that is there", owner.name)
    };
    problems.add(
        Diagnostic::error(Code::UnknownHost, owner.leads, message)
            .label(format!("`{}` is its alias", owner.name))
            .help(help),
    );
}

/// Reports a name with so many addresses that no message holds them (RFC 1035 4.2.2: its length is told in 16 bits).
fn fits(owner: &Owner, trail: &Trail<'_>, addresses: usize, plan: &Plan, problems: &mut Problems) {
    // A compressed name, type, class, TTL, length and four bytes.
    const ADDRESS: usize = 16;
    if addresses <= (MAX_MESSAGE - 8_192) / ADDRESS {
        return;
    }
    let last = trail.names.last().and_then(|name| plan.zone_of(name));
    if last.is_none_or(|zone| zone.answers != Answers::All) {
        return;
    }
    let Some(rest) = without_addresses(&trail.names) else { return };
    let most = MAX_MESSAGE.saturating_sub(rest) / ADDRESS;
    // An alias says so only where its own length is too much.
    let alone = without_addresses(&trail.names[trail.names.len() - 1..]).unwrap_or(rest);
    let told = trail.names.len() > 1 && alone + addresses * ADDRESS > MAX_MESSAGE;
    if addresses > most && !told {
        let message = format!("no DNS message holds the {addresses} addresses of `{}`", owner.name);
        problems.add(
            Diagnostic::error(Code::OutOfRange, owner.leads, message)
                .label(format!("{ADDRESS} bytes each, and a message has at most {MAX_MESSAGE}"))
                .help(format!(
                    "give the name at most {most} addresses, or let the zone give one at a time: `answers: Nearest`"
                )),
        );
    }
}

/// Bytes of an answer that tells the way along these names, besides addresses at its end.
fn without_addresses(names: &[&str]) -> Option<usize> {
    let names: Vec<Name> = names.iter().map(|name| name.parse().ok()).collect::<Option<_>>()?;
    let alias = |pair: &[Name]| Record { name: pair[0].clone(), ttl: 0, data: Rdata::Cname(pair[1].clone()) };
    let mut answer = Message::query(0, Question { name: names[0].clone(), kind: Kind::A }, false).reply(Rcode::NoError);
    answer.answers = names.windows(2).map(alias).collect();
    let bare = answer.encode(MAX_MESSAGE).len();
    // The last name is written in full where nothing leads to it, which the first address shows.
    answer.answers.push(Record { name: names.last()?.clone(), ttl: 0, data: Rdata::A(Ipv4Addr::UNSPECIFIED) });
    let one = answer.encode(MAX_MESSAGE).len();
    Some(bare + (one - bare).saturating_sub(16))
}
