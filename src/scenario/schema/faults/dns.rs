//! Name servers that do not do their duty: `DnsOutage` answers nothing, `StaleDns` answers from the past, `TtlOverride` lies about how
//! long an answer holds.

use super::super::form::Form;
use super::super::{inner, value, zones};
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::fault::{DnsTrouble, Effect};
use crate::scenario::diagnostic::{Code, Diagnostic};
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

const NAME_SERVER: (&str, &str) = ("name server", "a `Resolver` or an `Authority`");

fn name_server(kind: &NodeKind) -> bool {
    matches!(kind, NodeKind::Resolver(_) | NodeKind::Authority { .. })
}

fn outage(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let trouble = match context.fields.get("how") {
        Some(value) => match value::word(value, "`how`", &["Silence", "ServFail"], problems)? {
            "ServFail" => DnsTrouble::ServFail,
            _ => DnsTrouble::Silent,
        },
        None => DnsTrouble::Silent,
    };
    let (name, nodes) = targets::nodes(context, name_server, NAME_SERVER, problems)?;
    Some(struck(format!("dns outage {name}"), &nodes, trouble))
}

fn stale(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let resolves = |kind: &NodeKind| matches!(kind, NodeKind::Resolver(_));
    let (name, nodes) = targets::nodes(context, resolves, ("resolver", "a `Resolver`"), problems)?;
    let remembers = |&node: &u32| match &context.plan.nodes[node as usize].kind {
        NodeKind::Resolver(resolver) => resolver.cache_entries > 0,
        _ => true,
    };
    if let (Some(value), false) = (context.fields.get("node"), nodes.iter().any(remembers)) {
        let node = &context.plan.nodes[nodes[0] as usize];
        let message = format!("`{}` answers as before: it remembers nothing that could be old", node.name);
        problems.add(
            Diagnostic::warning(Code::NoEffect, inner(value), message)
                .also(node.declared, "declared here")
                .help("give it a `cache`"),
        );
    }
    Some(struck(format!("stale dns {name}"), &nodes, DnsTrouble::Stale))
}

fn ttl(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("ttl", "\"1h\"", problems);
    let ttl = value.and_then(|value| zones::ttl(value, problems));
    let (name, nodes) = targets::nodes(context, name_server, NAME_SERVER, problems)?;
    Some(struck(format!("ttl {name}"), &nodes, DnsTrouble::Ttl(ttl?)))
}

fn struck(name: String, nodes: &[u32], trouble: DnsTrouble) -> Struck {
    Struck { name, effects: nodes.iter().map(|&node| Effect::Dns { node, trouble }).collect() }
}
