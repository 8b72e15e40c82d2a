//! Edges in the summary: a line for each, or for each group where there are many, and how far each purge has come.

use super::super::style::Style;
use super::super::table::{Align, Cell, Table, counted, grouped};
use super::detail::Detail;
use super::more;
use crate::base::{Bytes, Span};
use crate::run::EdgeOutcome;
use crate::run::outcome::{Outcome, Share};
use indexmap::IndexMap;
use std::fmt::Write as _;

/// More edges than this are added up by group.
const LINES: usize = 8;

/// Its name, and what of an edge stands in it.
type Column = (&'static str, fn(&EdgeOutcome) -> u64);

pub(super) fn edges(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let mut lines: IndexMap<String, (u64, EdgeOutcome)> = IndexMap::new();
    let many = outcome.edges.len() > LINES;
    for (name, edge) in &outcome.edges {
        let line = if many { name.split('/').next().unwrap_or(name) } else { name };
        let (members, sum) = lines.entry(line.to_owned()).or_default();
        *members += 1;
        add(sum, edge);
    }
    // What a request was answered with: those of no edge are left out. They add up to the requests.
    let answered: [Column; 9] = [
        ("hits", |edge| edge.hits),
        ("stale", |edge| edge.stale),
        ("stale on error", |edge| edge.stale_on_error),
        ("negative", |edge| edge.negative),
        ("revalidated", |edge| edge.revalidated),
        ("coalesced", |edge| edge.coalesced),
        ("misses", |edge| edge.misses),
        ("passed", |edge| edge.passed),
        ("failed", |edge| edge.failed),
    ];
    let counted_too: [Column; 2] = [("evicted", |edge| edge.evicted), ("outdated", |edge| edge.outdated)];
    let occurs = |of: fn(&EdgeOutcome) -> u64| lines.values().any(|(_, edge)| of(edge) > 0);
    let answered: Vec<_> = answered.into_iter().filter(|&(_, of)| occurs(of)).collect();
    let counted_too: Vec<_> = counted_too.into_iter().filter(|&(_, of)| occurs(of)).collect();
    let names = ["edge", "requests"].into_iter().chain(answered.iter().map(|(name, _)| *name));
    let names = names.chain(["hit ratio", "by bytes", "fetches", "fetched"]);
    let names = names.chain(counted_too.iter().map(|(name, _)| *name));
    let mut table =
        Table::new(names.enumerate().map(|(at, name)| (name, if at == 0 { Align::Left } else { Align::Right })));
    for (name, (members, edge)) in lines.iter().take(detail.edges) {
        let hits = Share::of(edge.hits + edge.stale + edge.negative, edge.requests);
        let share = |share: Option<Share>| share.map_or_else(|| "-".to_owned(), |share| share.to_string());
        let name = if *members > 1 { format!("{name} ({members})") } else { name.clone() };
        let mut row: Vec<Cell> = vec![name.into(), grouped(edge.requests).into()];
        row.extend(answered.iter().map(|(_, of)| grouped(of(edge)).into()));
        row.extend([
            share(hits).into(),
            share(Share::of(edge.bytes_from_store, edge.bytes_sent)).into(),
            grouped(edge.fetches).into(),
            Bytes(edge.bytes_fetched).to_string().into(),
        ]);
        row.extend(counted_too.iter().map(|(_, of)| grouped(of(edge)).into()));
        table.row(row);
    }
    if table.is_empty() {
        return String::new();
    }
    let left = lines.len().saturating_sub(detail.edges);
    let mut text = table.render(style) + &more(style, left, "edge or group", "edges and groups");
    for purge in outcome.purges.iter().take(detail.purges) {
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
    let left = outcome.purges.len().saturating_sub(detail.purges);
    text + &more(style, left, "purge", "purges")
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

#[cfg(test)]
mod tests {
    use super::super::detail::LEVELS;
    use super::*;
    use crate::report::fixture;

    #[test]
    fn what_requests_were_answered_with_adds_up() {
        let mut outcome = fixture::outcome([("pages", fixture::pages())]);
        let edge = EdgeOutcome {
            requests: 45,
            hits: 1,
            stale: 2,
            stale_on_error: 3,
            negative: 4,
            revalidated: 5,
            coalesced: 6,
            misses: 7,
            passed: 8,
            failed: 9,
            outdated: 20,
            ..EdgeOutcome::default()
        };
        outcome.edges.insert("paris".into(), edge);
        let text = edges(&outcome, &LEVELS[0], Style::Plain);
        let cells = |line: usize| {
            let all = text.lines().nth(line).unwrap().split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            all.map(str::to_owned).collect::<Vec<_>>()
        };
        let answered: Vec<u64> = cells(1)[2..11].iter().map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(answered.iter().sum::<u64>(), 45, "{text}");
        let named =
            ["hits", "stale", "stale on error", "negative", "revalidated", "coalesced", "misses", "passed", "failed"];
        assert_eq!(cells(0)[2..11], named);
        assert_eq!(cells(0).last().unwrap(), "outdated", "what does not occur has no column: {text}");
    }
}
