//! `LatencySpike`: packets take longer over a link, as on a detour that the link's operator has taken.

use super::super::form::Form;
use super::super::value;
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::Effect;
use crate::link::Trouble;

pub(super) static LATENCY_SPIKE: Breakage = Breakage {
    form: &Form { name: "LatencySpike", fields: fields!["link", "between", "toward", "extra"] },
    line: "packets travel for so much longer over a link",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("extra", "\"200ms\"", problems);
    let extra = value.and_then(|value| value::positive_span(value, "`extra`", problems));
    let links = targets::links(context, problems)?;
    let extra = extra?;
    let effect =
        |direction: &targets::Direction| Effect::Link { direction: direction.number, trouble: Trouble::Delay(extra) };
    Some(Struck { name: format!("latency {}", links.name), effects: links.directions.iter().map(effect).collect() })
}
