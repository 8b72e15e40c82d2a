//! Edges in the summary: a line for each, or for each group where there are many, and how far each purge has come.

use super::super::style::Style;
use super::super::table::{Align, Table, counted, grouped};
use crate::base::{Bytes, Span};
use crate::run::EdgeOutcome;
use crate::run::outcome::{Outcome, Share};
use indexmap::IndexMap;
use std::fmt::Write as _;

/// More edges than this are added up by group.
const LINES: usize = 8;
/// Purges shown.
const PURGES: usize = 4;

pub(super) fn edges(outcome: &Outcome, style: Style) -> String {
    let mut lines: IndexMap<String, (u64, EdgeOutcome)> = IndexMap::new();
    let many = outcome.edges.len() > LINES;
    for (name, edge) in &outcome.edges {
        let line = if many { name.split('/').next().unwrap_or(name) } else { name };
        let (members, sum) = lines.entry(line.to_owned()).or_default();
        *members += 1;
        add(sum, edge);
    }
    let columns = [
        "edge",
        "requests",
        "hit ratio",
        "by bytes",
        "stale",
        "revalidated",
        "coalesced",
        "misses",
        "fetches",
        "fetched",
        "evicted",
        "outdated",
    ];
    let mut table = Table::new(
        columns.iter().enumerate().map(|(at, &name)| (name, if at == 0 { Align::Left } else { Align::Right })),
    );
    for (name, (members, edge)) in &lines {
        let hits = Share::of(edge.hits + edge.stale + edge.negative, edge.requests);
        let share = |share: Option<Share>| share.map_or_else(|| "-".to_owned(), |share| share.to_string());
        let name = if *members > 1 { format!("{name} ({members})") } else { name.clone() };
        table.row([
            name.into(),
            grouped(edge.requests).into(),
            share(hits).into(),
            share(Share::of(edge.bytes_from_store, edge.bytes_sent)).into(),
            grouped(edge.stale + edge.stale_on_error).into(),
            grouped(edge.revalidated).into(),
            grouped(edge.coalesced).into(),
            grouped(edge.misses + edge.passed + edge.failed).into(),
            grouped(edge.fetches).into(),
            Bytes(edge.bytes_fetched).to_string().into(),
            grouped(edge.evicted).into(),
            grouped(edge.outdated).into(),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    let mut text = table.render(style);
    for purge in outcome.purges.iter().take(PURGES) {
        let at = Span::from_nanos(purge.at_ns);
        let (done, missed) = (purge.edges_ns.len() as u64, purge.missed.len() as u64);
        let edges = match missed {
            0 => counted(done, "edge", "edges"),
            _ => format!("{done} of {}", counted(done + missed, "edge", "edges")),
        };
        let last = purge
            .edges_ns
            .values()
            .max()
            .map_or_else(String::new, |&last| format!(", the last after {}", Span::from_nanos(last)));
        let old = purge.last_outdated_ns.map_or_else(
            || "nothing outdated was served after it began".to_owned(),
            |last| format!("outdated answers until {} after it began", Span::from_nanos(last)),
        );
        let never = match &purge.missed[..] {
            [] => String::new(),
            [first] => format!(", {first} not until the end"),
            [first, rest @ ..] => {
                format!(", {first} and {} not until the end", counted(rest.len() as u64, "other", "others"))
            }
        };
        let _ = writeln!(text, "{at}: {} purged {edges}{last}{never}; {old}", purge.by);
    }
    let more = outcome.purges.len().saturating_sub(PURGES) as u64;
    if more > 0 {
        let _ = writeln!(
            text,
            "{}",
            style.dim(&format!("{}: --format json shows all", counted(more, "more purge", "more purges")))
        );
    }
    text
}

fn add(sum: &mut EdgeOutcome, edge: &EdgeOutcome) {
    let pairs = [
        (&mut sum.requests, edge.requests),
        (&mut sum.hits, edge.hits),
        (&mut sum.stale, edge.stale),
        (&mut sum.stale_on_error, edge.stale_on_error),
        (&mut sum.negative, edge.negative),
        (&mut sum.revalidated, edge.revalidated),
        (&mut sum.coalesced, edge.coalesced),
        (&mut sum.misses, edge.misses),
        (&mut sum.passed, edge.passed),
        (&mut sum.failed, edge.failed),
        (&mut sum.bytes_sent, edge.bytes_sent),
        (&mut sum.bytes_from_store, edge.bytes_from_store),
        (&mut sum.bytes_fetched, edge.bytes_fetched),
        (&mut sum.fetches, edge.fetches),
        (&mut sum.evicted, edge.evicted),
        (&mut sum.outdated, edge.outdated),
    ];
    pairs.into_iter().for_each(|(own, more)| *own += more);
}
