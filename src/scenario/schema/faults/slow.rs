//! `Slow`: a gray failure. The machine answers, health checks pass, and all its work takes many times as long.

use super::super::form::Form;
use super::super::{inner, value};
use super::{Breakage, Context, Problems, Struck, fields, targets};
use crate::base::{Dist, Span};
use crate::fault::Effect;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::NodeKind;
use crate::service::server;

pub(super) static SLOW: Breakage = Breakage {
    form: &Form { name: "Slow", fields: fields!["node", "factor"] },
    line: "a gray failure: work on a machine takes so many times as long",
    read,
};

fn read(context: &Context<'_, '_>, problems: &mut Problems) -> Option<Struck> {
    let value = context.fields.need("factor", "10", problems);
    let factor = value.and_then(|value| value::real(value, "`factor`", 1.01..=100_000.0, problems));
    let works = |kind: &NodeKind| {
        matches!(kind, NodeKind::Server(_) | NodeKind::Balancer(_) | NodeKind::Store(_) | NodeKind::Cluster(_))
    };
    let kinds = "a `Server`, `Balancer`, `Store` or `Cluster`; what others do takes no time, slow their lines with a `LatencySpike`";
    let (name, nodes) = targets::nodes(context, works, ("machine whose work takes time", kinds), problems)?;
    idle(context, &nodes, problems);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 101 and ten million")]
    let hundredths = libm::round(factor? * 100.0) as u32;
    let effect = |node| Effect::Slow { node, hundredths };
    Some(Struck { name: format!("slow {name}"), effects: nodes.into_iter().map(effect).collect() })
}

/// Warns if all that is struck does its work in no time, which is no longer many times over.
fn idle(context: &Context<'_, '_>, nodes: &[u32], problems: &mut Problems) {
    let Context { fields, plan, .. } = context;
    let kind = |&node: &u32| &plan.nodes[node as usize].kind;
    let (Some(value), Some(&first)) = (fields.get("node"), nodes.first()) else { return };
    if nodes.iter().any(|node| takes_time(kind(node))) {
        return;
    }
    let help = match kind(&first) {
        NodeKind::Balancer(balancer) if balancer.pools.is_empty() => return,
        NodeKind::Balancer(balancer) if !balancer.layer.sees_requests() => {
            "an L4 balancer passes packets on at once; slow its servers, or its line with a `LatencySpike`"
        }
        NodeKind::Balancer(_) => {
            "what a balancer works on is handshakes: give it `tls: (handshake: \"1ms\")`; or slow its servers"
        }
        _ => "give it a `service` time; or slow its line with a `LatencySpike`",
    };
    let node = &plan.nodes[first as usize];
    let message = format!("`{}` is as fast as before: its work takes no time", node.name);
    problems.add(
        Diagnostic::warning(Code::NoEffect, inner(value), message)
            .also(node.declared, node.kind.described())
            .help(help),
    );
}

/// Whether a machine of this kind does work that takes time.
fn takes_time(kind: &NodeKind) -> bool {
    let takes = |dist: &Dist| *dist != Dist::Constant(Span::ZERO);
    let signs = |tls: &Option<server::Tls>| tls.as_ref().is_some_and(|tls| takes(&tls.handshake));
    match kind {
        NodeKind::Server(server) => {
            let own = [Some(server.service), Some(server.io)];
            let of_routes = server.routes.iter().flat_map(|route| [route.service, route.io]);
            own.into_iter().chain(of_routes).flatten().any(|dist| takes(&dist)) || signs(&server.tls)
        }
        NodeKind::Balancer(balancer) => signs(&balancer.tls),
        NodeKind::Store(store) => takes(&store.service),
        NodeKind::Cluster(cluster) => takes(&cluster.service),
        _ => false,
    }
}
