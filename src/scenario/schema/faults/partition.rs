//! `Partition`: some nodes cannot reach others, in both directions or one, and routing does not notice: a rule pushed to the wrong
//! routers, a forwarding table that is not what the control plane thinks.

use super::super::form::Form;
use super::super::value;
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::Effect;
use crate::scenario::diagnostic::{Code, Diagnostic};

pub(super) static PARTITION: Breakage = Breakage {
    form: &Form { name: "Partition", fields: fields!["of", "place", "from", "way"] },
    line: "packets between some nodes, or a place, and the rest or some others are dropped, both ways or one; routing does not notice",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let Context { fields, plan, .. } = context;
    if !fields.at_most_one(&["of", "place"], "each says who is cut off", problems) {
        return None;
    }
    let (name, inside) = match fields.get("place") {
        Some(value) => targets::at_place(context, value, problems),
        None => targets::set(context, fields.need("of", "[\"origin\"]", problems)?, problems),
    }?;
    let others = match fields.get("from") {
        Some(value) => Some(targets::set(context, value, problems)?),
        None => None,
    };
    let way = match fields.get("way") {
        Some(value) => value::word(value, "`way`", &["Both", "Out", "In"], problems)?,
        None => "Both",
    };
    let outside = others.as_ref().map_or(&[][..], |(_, nodes)| nodes);
    if let Some(both) = inside.iter().find(|node| outside.contains(node)) {
        let message = format!("`{}` cannot be cut off from itself", plan.nodes[*both as usize].name);
        problems.add(Diagnostic::error(Code::Contradiction, fields.span, message).help("name it on one side"));
        return None;
    }
    let shares = |node: &&u32| plan.anycast().any(|(_, anycast)| anycast.members.contains(node));
    if let Some(&other) = outside.iter().find(shares) {
        let name = &plan.nodes[other as usize].name;
        let message = format!("packets to the anycast address of `{name}` may be for others of its members");
        problems.add(
            Diagnostic::error(Code::Contradiction, fields.span, message)
                .help(format!("name `{name}` in `of` and who cannot reach it in `from`")),
        );
        return None;
    }
    // Whose packets: with nobody named on the other side, everybody's, those that pass through included.
    let own = if others.is_some() { inside.clone() } else { Vec::new() };
    let mut effects = Vec::new();
    for (number, link) in (0u32..).step_by(2).zip(&plan.links) {
        let within = |node: u32| inside.binary_search(&node).is_ok();
        let (out, into) = match (within(link.a), within(link.b)) {
            (true, false) => (number, number + 1),
            (false, true) => (number + 1, number),
            _ => continue,
        };
        if way != "In" {
            effects.push(Effect::Block { direction: out, from: own.clone(), to: outside.to_vec() });
        }
        if way != "Out" {
            effects.push(Effect::Block { direction: into, from: outside.to_vec(), to: own.clone() });
        }
    }
    if effects.is_empty() {
        problems.add(
            Diagnostic::error(Code::NoEffect, fields.span, "this separates nobody: no link leaves these nodes")
                .help("leave out some of the nodes"),
        );
        return None;
    }
    let toward = match way {
        "Out" => " outward",
        "In" => " inward",
        _ => "",
    };
    let from = others.map_or_else(String::new, |(name, _)| format!(" from {name}"));
    Some(Struck { name: format!("partition {name}{from}{toward}"), effects })
}
