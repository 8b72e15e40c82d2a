//! Name servers that do not do their duty: `DnsOutage` answers nothing, `StaleDns` answers from the past, `TtlOverride` lies about how
//! long an answer holds.

use super::super::form::Form;
use super::super::{value, zones};
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::{DnsTrouble, Effect};
use crate::scenario::plan::NodeKind;

pub(super) static DNS_OUTAGE: Breakage = Breakage {
    form: &Form { name: "DnsOutage", fields: fields!["node", "how"] },
    line: "a resolver or authority answers nothing (Silence), or that it cannot answer (ServFail)",
    read: outage,
};

pub(super) static STALE_DNS: Breakage = Breakage {
    form: &Form { name: "StaleDns", fields: fields!["node"] },
    line: "a resolver answers from what it remembers, however old that is",
    read: stale,
};

pub(super) static TTL_OVERRIDE: Breakage = Breakage {
    form: &Form { name: "TtlOverride", fields: fields!["node", "ttl"] },
    line: "a resolver or authority says this TTL instead of the true one; a resolver remembers for so long itself",
    read: ttl,
};

fn name_server(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::Resolver(_) | NodeKind::Authority { .. })
}

fn outage(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let trouble = match context.fields.get("how") {
        Some(value) => match value::choice(value, "`how`", &["Silence", "ServFail"], problems)? {
            "ServFail" => DnsTrouble::ServFail,
            _ => DnsTrouble::Silent,
        },
        None => DnsTrouble::Silent,
    };
    let (name, nodes) = targets::nodes(context, name_server, "name server", problems)?;
    Some(struck(format!("dns outage {name}"), &nodes, trouble))
}

fn stale(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let (name, nodes) = targets::nodes(context, |kind| matches!(kind, NodeKind::Resolver(_)), "resolver", problems)?;
    Some(struck(format!("stale dns {name}"), &nodes, DnsTrouble::Stale))
}

fn ttl(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("ttl", "\"1h\"", problems);
    let ttl = value.and_then(|value| zones::ttl(value, problems));
    let (name, nodes) = targets::nodes(context, name_server, "name server", problems)?;
    Some(struck(format!("ttl {name}"), &nodes, DnsTrouble::Ttl(ttl?)))
}

fn struck(name: String, nodes: &[u32], trouble: DnsTrouble) -> Struck {
    Struck { name, effects: nodes.iter().map(|&node| Effect::Dns { node, trouble }).collect() }
}
