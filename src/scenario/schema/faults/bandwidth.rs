//! `BandwidthDrop`: a line is slower for a time, also for what waits for it already.

use super::super::form::Form;
use super::super::value;
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::Effect;
use crate::link::Trouble;

pub(super) static BANDWIDTH_DROP: Breakage = Breakage {
    form: &Form { name: "BandwidthDrop", fields: fields!["link", "between", "toward", "to"] },
    line: "the line is no faster than this, also for what waits for it already",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("to", "\"1Mbps\"", problems);
    let rate = value.and_then(|value| value::rate(value, "`to`", problems));
    let links = targets::links(context, problems)?;
    let rate = rate?;
    let own = |direction: &targets::Direction| {
        context.plan.links[direction.link].directions[(direction.number & 1) as usize].rate
    };
    if let Some(slow) = links.directions.iter().find(|direction| own(direction) <= rate) {
        let name = &context.plan.links[slow.link].name;
        context.fields.no_effect("to", &format!("`{name}` has no more than {} anyway", own(slow)), problems);
    }
    let effect =
        |direction: &targets::Direction| Effect::Link { direction: direction.number, trouble: Trouble::Rate(rate) };
    Some(Struck { name: format!("slow line {}", links.name), effects: links.directions.iter().map(effect).collect() })
}
