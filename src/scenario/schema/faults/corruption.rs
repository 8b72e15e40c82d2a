//! `CorruptionBurst`: bits flip on a link, and checksums notice.

use super::super::form::Form;
use super::super::value;
use super::{Breakage, Context, Problems, Struck, fields, nothing, targets};
use crate::fault::Effect;
use crate::link::Trouble;

pub(super) static CORRUPTION_BURST: Breakage = Breakage {
    form: &Form { name: "CorruptionBurst", fields: fields!["link", "between", "toward", "share"] },
    line: "this share of packets has bits flipped on a link; checksums notice, and they are dropped on arrival",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("share", "\"10%\"", problems);
    let share = value.and_then(|value| value::ratio(value, "`share`", problems));
    let links = targets::links(context, problems)?;
    let share = share?;
    if let (true, Some(value)) = (share.is_zero(), value) {
        nothing(value, "no bit is flipped by it", problems);
    }
    let effect =
        |direction: &targets::Direction| Effect::Link { direction: direction.number, trouble: Trouble::Corrupt(share) };
    Some(Struck { name: format!("corruption {}", links.name), effects: links.directions.iter().map(effect).collect() })
}
