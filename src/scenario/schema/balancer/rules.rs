//! What a balancer's fields mean together: those without effect, and ways that do not exist.

use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{NodeKind, Plan, Target};
use crate::scenario::schema::Problems;
use crate::scenario::schema::form::Fields;
use crate::scenario::schema::paths::Paths;
use crate::service::balancer::policy::Algorithm;
use crate::service::balancer::{Layer, Match, Pool, Route};

/// Warns of what changes nothing in a pool of so many members.
pub(super) fn sensible(fields: &Fields<'_>, pool: &Pool, layer: Layer, targets: &[Target], problems: &mut Problems) {
    let algorithm = &pool.algorithm;
    let members = targets.len();
    let equal = targets.iter().all(|target| target.weight == targets[0].weight);
    if members == 1 {
        fields.no_effect("policy", "there is one member to choose from", problems);
    }
    if !algorithm.uses_weights() {
        fields.no_effect("weights", &format!("`{}` does not look at weights", algorithm.name()), problems);
    } else if equal && members > 1 {
        fields.no_effect("weights", "all members have the same", problems);
        if algorithm.needs_weights() && fields.get_if("weights").is_none() {
            let why = if fields.has("weights") {
                "there are no `weights`, so each gets as much as with `RoundRobin`; give some members more"
            } else {
                "what an edge fetches from has no weights, so each gets as much as with `RoundRobin`"
            };
            fields.no_effect("policy", why, problems);
        }
    }
    let comes_back = pool.check.is_some() || pool.outliers.is_some();
    if !comes_back {
        fields.no_effect(
            "slow_start",
            "nobody goes and comes back: there is neither `health` nor `outliers`",
            problems,
        );
        if fields.get_if("drain").is_none() {
            fields.no_effect("panic", "nobody is ever out: there is neither `health` nor `outliers`", problems);
        }
    } else if !algorithm.starts_slowly() {
        let why = format!("`{}` cannot give one less than its place", algorithm.name());
        fields.no_effect("slow_start", &why, problems);
    }
    if pool.connections.is_some_and(|most| most < pool.warm) {
        let span = fields.get_if("warm").map_or(fields.span, |value| value.span);
        problems.add(
            Diagnostic::error(Code::Contradiction, span, "more connections are to be warm than there may be")
                .help("let `warm` be at most `connections`"),
        );
    }
    let speaks = |tls: bool| targets.iter().find(|target| target.tls == tls);
    if let (false, Some(_), Some(_), Some(value)) =
        (layer.sees_requests(), speaks(true), speaks(false), fields.get_if("to"))
    {
        problems.add(
            Diagnostic::error(Code::Contradiction, value.span, "some of these speak TLS and others do not")
                .label("whoever comes may reach either")
                .help("an L4 balancer sees packets only: let its servers speak alike"),
        );
    }
    if !layer.sees_requests() && pool.outliers.is_some() {
        fields.no_effect("outliers", "an L4 balancer sees no answers", problems);
    }
    if pool.retries == 0 {
        fields.no_effect("retry_errors", "no other backend is tried: `retries` is 0", problems);
    }
    if let Algorithm::Subset { size, .. } = algorithm
        && *size as usize >= members
    {
        fields.no_effect("policy", "the subset is the whole pool; write what it is `of`", problems);
    }
}

/// Whether every request that `later` takes is taken by `earlier`.
pub(super) fn takes_all_of(earlier: &Route, later: &Route) -> bool {
    let follows = |condition: &Match| match condition {
        Match::Path(wide) => {
            later.when.iter().any(|own| match (own, wide.strip_suffix('*')) {
                (Match::Path(path), Some(start)) => path.trim_end_matches('*').starts_with(start),
                (Match::Path(path), None) => path == wide,
                _ => false,
            }) || matches!(&**wide, "*" | "/*")
        }
        Match::Header(name, None) => {
            later.when.iter().any(|own| matches!(own, Match::Header(other, _) if other.eq_ignore_ascii_case(name)))
        }
        Match::Cookie(name, None) => {
            later.when.iter().any(|own| matches!(own, Match::Cookie(other, _) if other == name))
        }
        exact => later.when.contains(exact),
    };
    earlier.when.iter().all(follows)
}

/// Code points by which servers know a balancer that they answer for.
const DIRECT: usize = 16;

/// Every balancer needs a way to its backends; where answers go direct, servers listen on its port.
pub(in crate::scenario::schema) fn check(plan: &Plan, paths: &Paths<'_>, problems: &mut Problems) {
    let parts = paths.parts();
    direct(plan, problems);
    for (index, node) in (0u32..).zip(&plan.nodes) {
        let NodeKind::Balancer(balancer) = &node.kind else { continue };
        let Some(cut) = balancer.targets().find(|target| !parts.reaches(index, target.node)) else { continue };
        let backend = &plan.nodes[cut.node as usize];
        problems.add(
            Diagnostic::error(
                Code::Unreachable,
                node.declared,
                format!("there is no route from `{}` to `{}`", node.name, backend.name),
            )
            .label("this balancer could not reach it")
            .also(backend.declared, "declared here")
            .help("join them with a link, or with routers between them: hosts and servers do not forward packets"),
        );
    }
}

fn direct(plan: &Plan, problems: &mut Problems) {
    if let Some(&(balancer, _)) = plan.answered_directly().get(DIRECT) {
        problems.add(
            Diagnostic::error(
                Code::Unsupported,
                plan.nodes[balancer as usize].declared,
                format!("more than {DIRECT} balancers with `back: Direct`, anycast addresses counted"),
            )
            .help("servers tell them apart by code points for local use, of which there are so many; use `back: Nat`"),
        );
    }
    for node in &plan.nodes {
        let NodeKind::Balancer(balancer) = &node.kind else { continue };
        if !balancer.answers_directly() {
            continue;
        }
        let Some(other) = balancer.targets().find(|target| target.port != balancer.port) else { continue };
        let server = &plan.nodes[other.node as usize];
        problems.add(
            Diagnostic::error(
                Code::Contradiction,
                node.declared,
                format!(
                    "clients come to port {}, and `{}` would answer from port {}",
                    balancer.port, server.name, other.port
                ),
            )
            .also(server.declared, "declared here")
            .help(format!("with `back: Direct` both ports are the same: give the balancer `port: {}`", other.port)),
        );
    }
}
