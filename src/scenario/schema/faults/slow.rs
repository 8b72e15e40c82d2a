//! `Slow`: a gray failure. The machine answers, health checks pass, and all its work takes many times as long.

use super::super::form::Form;
use super::super::value;
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::Effect;
use crate::scenario::plan::NodeKind;

pub(super) static SLOW: Breakage = Breakage {
    form: &Form { name: "Slow", fields: fields!["node", "factor"] },
    line: "a gray failure: work on a machine takes so many times as long",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("factor", "10", problems);
    let factor = value.and_then(|value| value::real(value, "`factor`", 1.01..=100_000.0, problems));
    let works = |kind: &NodeKind| {
        let idle = matches!(kind, NodeKind::Host | NodeKind::Router | NodeKind::Anycast(_));
        !idle && !matches!(kind, NodeKind::Authority { .. } | NodeKind::Resolver(_))
    };
    let (name, nodes) = targets::nodes(context, works, "machine whose work takes time", problems)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 101 and ten million")]
    let hundredths = libm::round(factor? * 100.0) as u32;
    let effect = |node| Effect::Slow { node, hundredths };
    Some(Struck { name: format!("slow {name}"), effects: nodes.into_iter().map(effect).collect() })
}
