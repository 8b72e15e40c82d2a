//! `Crash`: a machine loses everything that it was doing, and starts again with its services when it is over.

use super::super::form::Form;
use super::super::value;
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::{Effect, Manner};
use crate::scenario::diagnostic::{Code, Diagnostic};

pub(super) static CRASH: Breakage = Breakage {
    form: &Form { name: "Crash", fields: fields!["node", "how"] },
    line: "a machine loses its power (Silence) or its programs die and its kernel resets their connections (Reset); then it starts again",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let manner = match context.fields.get("how") {
        Some(value) => match value::word(value, "`how`", &["Silence", "Reset"], problems)? {
            "Reset" => Manner::Reset,
            _ => Manner::Silence,
        },
        None => Manner::Silence,
    };
    let (name, nodes) = targets::nodes(
        context,
        |kind| !kind.forwards(),
        ("host", "a machine that runs programs; a router fails by `RouterFailure`"),
        problems,
    )?;
    let users = context.plan.traffic.iter().find(|traffic| {
        let mut makers = traffic.pairs();
        makers.any(|(from, _)| nodes.contains(&from))
    });
    let comes_back = ["for", "until", "every", "mtbf"].iter().any(|field| context.fields.get(field).is_some());
    if let Some(traffic) = users.filter(|_| comes_back) {
        problems.add(
            Diagnostic::warning(
                Code::Unsupported,
                context.fields.span,
                format!(
                    "the users of `{}` on `{name}` do not come back: what they had begun stays unfinished",
                    traffic.name
                ),
            )
            .also(traffic.declared, "declared here")
            .help("services start again after a crash, users do not; crash the machine that they ask instead"),
        );
    }
    let effect = |node| Effect::Crash { node, manner };
    Some(Struck { name: format!("crash {name}"), effects: nodes.into_iter().map(effect).collect() })
}
