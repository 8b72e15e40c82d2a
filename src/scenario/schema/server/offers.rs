//! What servers offer that nobody who asks makes use of: deadlines, keys, sessions, payments, a place at a registry, rules for caches.

use super::{ROUTE, SERVER};
use crate::app::http1::path_matches;
use crate::scenario::ast::Kind;
use crate::scenario::diagnostic::Code;
use crate::scenario::plan::{Http, NodeKind, Plan, TrafficKind};
use crate::scenario::schema::Problems;
use crate::scenario::schema::form::Fields;
use crate::scenario::schema::nodes::{Group, Nodes};
use crate::service::client::Arrivals;
use crate::service::server::{Config, DEADLINE};
use std::collections::BTreeSet;

/// Servers that are asked with something.
#[derive(Default)]
struct Asked {
    deadlines: BTreeSet<u32>,
    keys: BTreeSet<u32>,
    /// With cookies that belong to the path of their session.
    sessions: BTreeSet<u32>,
    payments: BTreeSet<u32>,
    /// By edges.
    caches: BTreeSet<u32>,
    /// By those who found them at their registry.
    found: BTreeSet<u32>,
}

impl Asked {
    fn of(plan: &Plan) -> Self {
        let mut asked = Self::default();
        for traffic in &plan.traffic {
            let TrafficKind::Http(http) = &traffic.kind else { continue };
            let targets: BTreeSet<u32> = http.asks.iter().flat_map(|ask| ask.targets.iter().copied()).collect();
            let targets: Vec<u32> = targets.into_iter().collect();
            if http.discovery.is_some() {
                asked.found.extend(&targets);
            }
            let deadline = says_deadline(http, plan);
            let path = http.path.split('?').next().unwrap_or_default();
            for (node, config) in plan.servers_reached(&targets) {
                let note = |has: bool, set: &mut BTreeSet<u32>| {
                    if has {
                        set.insert(node);
                    }
                };
                note(deadline, &mut asked.deadlines);
                note(http.idempotency_key, &mut asked.keys);
                note(http.pays.is_some(), &mut asked.payments);
                let belongs = |session: &crate::service::server::Session| path_matches(&session.path, path);
                note(http.cookies.is_some() && config.session.as_ref().is_some_and(belongs), &mut asked.sessions);
            }
        }
        for node in &plan.nodes {
            let NodeKind::Edge(edge) = &node.kind else { continue };
            let targets: Vec<u32> = edge.upstream.targets.iter().map(|target| target.node).collect();
            asked.caches.extend(plan.servers_behind(&targets).into_iter().map(|(node, _)| node));
        }
        asked
    }
}

/// Warns of what servers do with requests that nobody makes of them, in a plan without errors.
pub(in crate::scenario::schema) fn check(nodes: &Nodes<'_>, plan: &Plan, problems: &mut Problems) {
    let asked = Asked::of(plan);
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
        of_server(group, &fields, config, &asked, problems);
    }
}

fn of_server(group: &Group<'_>, fields: &Fields<'_>, config: &Config, asked: &Asked, problems: &mut Problems) {
    let none = |set: &BTreeSet<u32>| group.members.iter().all(|member| !set.contains(member));
    if config.deadlines && none(&asked.deadlines) {
        fields.no_effect("deadlines", "nobody who asks says one; give the traffic `deadline: true`", problems);
    }
    if none(&asked.keys) {
        let why = "nobody who asks has a key; give the traffic `idempotency_key: true`";
        fields.no_effect("idempotency", why, problems);
    }
    if let (Some(session), true) = (&config.session, none(&asked.sessions)) {
        let why = format!("nobody who asks for something under `{}` keeps cookies", session.path);
        fields.no_effect("session", &why, problems);
    }
    if none(&asked.found) {
        fields.no_effect("register", "nobody looks for it there; give the traffic `discover`", problems);
    }
    let Some(Kind::List(items)) = fields.get("routes").map(|value| &value.kind) else { return };
    for item in items {
        let Some(route) = Fields::open(&ROUTE, item, &mut Problems::default()) else { continue };
        let on = |name: &str| !matches!(route.get(name).map(|value| &value.kind), Some(Kind::Bool(false)));
        if none(&asked.payments) && on("charges") {
            route.no_effect("charges", "nobody who asks pays; give the traffic `pays: 1999`", problems);
        }
        if none(&asked.caches) {
            for name in ["cache_control", "vary"] {
                route.no_effect(name, "nobody keeps its answers: no `Edge` fetches here", problems);
            }
        }
    }
}

/// Whether requests say how long they are waited for: of their own, or because what they are made for did.
fn says_deadline(http: &Http, plan: &Plan) -> bool {
    let own = http.deadline || http.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(DEADLINE));
    let told = |node: u32| matches!(&plan.nodes[node as usize].kind, NodeKind::Server(config) if config.deadlines);
    own || http.arrivals == Arrivals::Called && http.asks.iter().any(|ask| told(ask.from))
}
