//! `RouterFailure`: a router loses its power. What it has not sent yet is gone, and what reaches it is lost.

use super::super::form::Form;
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::{Effect, Manner};
use crate::scenario::plan::NodeKind;

pub(super) static ROUTER_FAILURE: Breakage = Breakage {
    form: &Form { name: "RouterFailure", fields: fields!["node"] },
    line: "a router loses its power: its queues are gone, what reaches it is lost, and routing goes around it some time later",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let (name, nodes) = targets::nodes(context, NodeKind::forwards, ("router", "a `Router`"), problems)?;
    let effect = |node| Effect::Crash { node, manner: Manner::Silence };
    Some(Struck { name: format!("failure {name}"), effects: nodes.into_iter().map(effect).collect() })
}
