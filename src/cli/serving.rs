//! Servers and what askers do about failures, in the words of `check`.

use crate::base::{Bytes, Span};
use crate::report::table::{counted, listed};
use crate::scenario::plan::{EdgeNode, Http, Plan};
use crate::service::cdn::{Coalesce, Failed};
use crate::service::client::backoff::{Backoff, Growth};
use crate::service::client::breaker::Window;
use crate::service::client::jitter::Jitter;
use crate::service::client::{After, Policy, budget};
use crate::service::server::shedding::Limit;
use crate::service::server::{Config, Overflow};
use std::fmt::Write as _;

/// Names of those whom an edge asks that are shown; of more, the rest is counted.
const NAMES: usize = 4;

/// A server in a few words.
pub(crate) fn server(config: &Config) -> String {
    let mut parts = vec![match &config.tls {
        None => "Server".to_owned(),
        Some(tls) if tls.min_version == tls.max_version => format!("Server, TLS {}", tls.max_version),
        Some(tls) => format!("Server, TLS {} to {}", tls.min_version, tls.max_version),
    }];
    let cores = config.cores.map_or_else(String::new, |n| format!(" on {}", counted(n as u64, "core", "cores")));
    parts.push(counted(config.workers as u64, "worker", "workers") + &cores);
    if (config.speed - 1.0).abs() > f64::EPSILON {
        parts.push(format!("speed {}", config.speed));
    }
    if let Some(warm_up) = config.warm_up {
        parts.push(format!("from {}% of it in {}", warm_up.from * 100.0, warm_up.over));
    }
    if let Some(limit) = config.queue_limit {
        let more = match config.overflow {
            Overflow::Reject => "are answered 503",
            Overflow::Reset => "are reset",
            Overflow::Wait => "wait to be accepted",
        };
        parts.push(format!("{limit} may wait, more {more}"));
    }
    if let Some(patience) = config.patience {
        parts.push(format!("sheds after {}, or {} in a queue that stands", patience.interval, patience.target));
    }
    parts.extend(config.concurrency.map(|limit| match limit {
        Limit::Aimd(aimd) => format!("lets in what it answers within {} (AIMD)", aimd.latency),
        Limit::Gradient(gradient) => {
            format!("lets in what it answers within {} times the usual (gradient)", gradient.tolerance)
        }
    }));
    let shared = if config.shared_keys.is_some() { " and in a store with others" } else { "" };
    parts.extend(config.idempotency.map(|keep| format!("remembers keys for {keep}{shared}")));
    parts.extend(config.deadlines.then(|| "works for those who still wait".to_owned()));
    parts.extend(config.session.as_ref().map(|session| {
        format!("keeps sessions by the cookie {} for {} under {}", session.cookie, session.idle, session.path)
    }));
    parts.join(", ")
}

/// An edge in a few words.
pub(crate) fn edge(plan: &Plan, edge: &EdgeNode) -> String {
    let settings = &edge.settings;
    let to = edge.upstream.targets.iter().map(|target| plan.nodes[target.node as usize].name.as_str());
    let mut parts = vec![format!("Edge before {}", listed(to, NAMES))];
    parts.push(format!("{} by {}", Bytes(settings.capacity), settings.eviction.name()));
    parts.extend(settings.ttl.map(|ttl| format!("fresh for {ttl} if nothing is said")));
    parts.extend(settings.negative.not_found.map(|span| format!("404 for {span}")));
    parts.extend(settings.negative.errors.map(|span| format!("5xx for {span}")));
    parts.push(match settings.coalesce {
        None => "each request fetches for itself".to_owned(),
        Some(Coalesce { wait, failed: Failed::Share }) => format!("fetches shared up to {wait}"),
        Some(Coalesce { wait, failed: Failed::Retry }) => format!("fetches shared up to {wait}, failures are not"),
    });
    parts.join(", ")
}

/// Keys, payments and conditions; empty where there are none.
pub(crate) fn extras(http: &Http) -> String {
    let mut text = String::new();
    if let Some(discovery) = &http.discovery {
        let _ = write!(text, ", each by {} from a list that is {}", discovery.algorithm, discovery.refresh);
    }
    if let Some(catalogue) = &http.catalogue {
        let _ = write!(text, ", {catalogue}");
    }
    for (name, value) in &http.headers {
        let _ = write!(text, ", {name}: {value}");
    }
    for (name, value) in http.cookies.iter().flatten() {
        let _ = write!(text, ", cookie {name}={value}");
    }
    if http.conditional {
        text.push_str(", reads first");
    }
    if http.deadline {
        text.push_str(", says its deadline");
    }
    if http.idempotency_key {
        text.push_str(", each with its key");
    }
    if let Some(cents) = http.pays {
        let _ = write!(text, ", pays {}.{:02}", cents / 100, cents % 100);
    }
    text
}

/// What is done about failures; empty where it is nothing.
pub(crate) fn policy(policy: &Policy) -> String {
    let mut parts = vec![String::new()];
    parts.extend(policy.try_timeout.map(|limit| format!("each try {limit}")));
    if let Some(retry) = &policy.retry {
        let waits = backoff(&retry.backoff);
        parts.push(format!("at most {}{waits}", counted(u64::from(retry.attempts), "try", "tries")));
        parts.extend(retry.budget.map(|config| budget("retries", &config)));
    }
    if let Some(hedge) = &policy.hedge {
        let after = match hedge.after {
            After::Time(span) => format!("after {span}"),
            After::Quantile(share) => format!("after what {share} of the answers took"),
        };
        parts.push(format!("hedged {after} up to {}", counted(u64::from(hedge.most), "time", "times")));
        parts.extend(hedge.budget.map(|config| budget("hedges", &config)));
    }
    if let Some(breaker) = &policy.breaker {
        let window = match breaker.window {
            Window::Count(count) => format!("the last {count}"),
            Window::Time(span) => format!("{span}"),
        };
        parts.push(format!(
            "breaker opens at {} failures of {window} (at least {}) for {} and closes after {}",
            breaker.failures,
            breaker.minimum,
            breaker.open_for,
            counted(u64::from(breaker.probes), "probe", "probes"),
        ));
    }
    if let Some(bulkhead) = &policy.bulkhead {
        let queue = bulkhead.queue.map_or_else(String::new, |queue| format!(", {queue} may wait"));
        parts.push(format!("at most {} at a time{queue}", bulkhead.max));
    }
    parts.join(", ")
}

fn backoff(backoff: &Backoff) -> String {
    let jitter = match backoff.jitter {
        Jitter::None => String::new(),
        jitter => format!(" with {} jitter", jitter.name().to_lowercase()),
    };
    match backoff.growth {
        Growth::Fixed(Span::ZERO) => " without waiting".to_owned(),
        Growth::Fixed(wait) => format!(" {wait} apart{jitter}"),
        Growth::Linear { first, max } => format!(" {first} apart and {first} more each time up to {max}{jitter}"),
        Growth::Exponential { first, max, factor } => {
            format!(" {first} apart and {factor} times that up to {max}{jitter}")
        }
    }
}

fn budget(what: &str, config: &budget::Config) -> String {
    let floor = config.floor.map_or_else(String::new, |gap| format!(" and one every {gap}"));
    format!("{what} for {} of the requests{floor} after the first {}", config.share, config.burst)
}
