//! `Cut`: nothing passes a point of a fiber. What has left the break when it happens arrives, and what comes to it is lost.

use super::super::form::Form;
use super::super::value;
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::base::Ratio;
use crate::fault::Effect;
use crate::link::Trouble;

pub(super) static CUT: Breakage = Breakage {
    form: &Form { name: "Cut", fields: fields!["link", "between", "toward", "break_at"] },
    line: "a link breaks at a point of its way, in both directions or one: what has passed the break arrives, the rest is lost",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let at = match context.fields.get("break_at") {
        Some(value) => value::ratio(value, "`break_at`", problems)?,
        None => Ratio::new(0.5)?,
    };
    let links = targets::links(context, problems)?;
    let effects = links.directions.iter().map(|direction| {
        let from_sender = if direction.onward { at } else { Ratio::new(1.0 - at.get()).unwrap_or(at) };
        Effect::Link { direction: direction.number, trouble: Trouble::Break { at: from_sender, seen: true } }
    });
    Some(Struck { name: format!("cut {}", links.name), effects: effects.collect() })
}
