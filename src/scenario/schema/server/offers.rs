//! What servers offer that nobody who asks makes use of: deadlines, keys and sessions.

use super::SERVER;
use crate::scenario::diagnostic::Code;
use crate::scenario::plan::{Http, NodeKind, Plan, TrafficKind};
use crate::scenario::schema::Problems;
use crate::scenario::schema::form::Fields;
use crate::scenario::schema::nodes::Nodes;
use crate::service::client::Arrivals;
use crate::service::server::DEADLINE;
use std::collections::BTreeSet;

/// Whom requests come to that have something.
#[derive(Default)]
struct Asked {
    deadlines: BTreeSet<u32>,
    keys: BTreeSet<u32>,
    cookies: BTreeSet<u32>,
}

/// Warns of what servers do with requests that nobody makes of them, in a plan without errors.
pub(in crate::scenario::schema) fn check(nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) {
    let mut asked = Asked::default();
    for traffic in &plan.traffic {
        let TrafficKind::Http(http) = &traffic.kind else { continue };
        let targets: BTreeSet<u32> = http.asks.iter().flat_map(|ask| ask.targets.iter().copied()).collect();
        let targets: Vec<u32> = targets.into_iter().collect();
        let reached = || plan.servers_reached(&targets).into_iter().map(|(node, _)| node);
        if says_deadline(http, plan) {
            asked.deadlines.extend(reached());
        }
        if http.idempotency_key {
            asked.keys.extend(reached());
        }
        if http.cookies.is_some() {
            asked.cookies.extend(reached());
        }
    }
    for group in &nodes.groups {
        // Unknown fields were reported when the node was read.
        let fields = group.server.and_then(|entry| Fields::open(&SERVER, entry, &mut Problems::default()));
        let Some(fields) = fields else { continue };
        if problems.0.iter().any(|other| other.code == Code::Unused && other.span == group.span) {
            continue;
        }
        let Some(NodeKind::Server(config)) = group.members.first().map(|&node| &plan.nodes[node as usize].kind) else {
            continue;
        };
        let none = |set: &BTreeSet<u32>| group.members.iter().all(|member| !set.contains(member));
        if config.deadlines && none(&asked.deadlines) {
            fields.no_effect("deadlines", "nobody who asks says one; give the traffic `deadline: true`", problems);
        }
        if none(&asked.keys) {
            let why = "nobody who asks has a key; give the traffic `idempotency_key: true`";
            fields.no_effect("idempotency", why, problems);
        }
        if none(&asked.cookies) {
            fields.no_effect("session", "nobody who asks keeps cookies", problems);
        }
    }
}

/// Whether requests say how long they are waited for: of their own, or because what they are made for did.
fn says_deadline(http: &Http, plan: &Plan) -> bool {
    let own = http.deadline || http.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(DEADLINE));
    let told = |node: u32| matches!(&plan.nodes[node as usize].kind, NodeKind::Server(config) if config.deadlines);
    own || http.arrivals == Arrivals::Called && http.asks.iter().any(|ask| told(ask.from))
}
