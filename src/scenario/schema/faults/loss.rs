//! `LossBurst`: a link loses packets, besides those that it loses anyway.

use super::super::form::Form;
use super::super::links;
use super::{Breakage, Context, Problems, Struck, fields, nothing, targets};
use crate::fault::Effect;
use crate::link::{Trouble, loss};

pub(super) static LOSS_BURST: Breakage = Breakage {
    form: &Form { name: "LossBurst", fields: fields!["link", "between", "toward", "loss"] },
    line: "a link loses packets besides those that it loses anyway, by any model of loss",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("loss", "\"30%\"", problems);
    let loss = value.and_then(|value| links::loss(value, problems));
    let links = targets::links(context, problems)?;
    let loss = loss?;
    if let (loss::Config::None, Some(value)) = (&loss, value) {
        nothing(value, "nothing is lost by it", problems);
    }
    let trouble = Trouble::Loss(loss);
    let effect =
        |direction: &targets::Direction| Effect::Link { direction: direction.number, trouble: trouble.clone() };
    Some(Struck { name: format!("loss {}", links.name), effects: links.directions.iter().map(effect).collect() })
}
