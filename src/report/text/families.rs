//! Many kinds of traffic in few lines: those whose names differ by a number are one family, and what is left is added up.

use crate::run::outcome::{Share, TrafficOutcome};
use std::cmp::Reverse;

/// Of so many a family is made: fewer are no shorter together with their odd one out.
const FAMILY: usize = 3;

/// A line of the table.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// A traffic of its own.
    One(&'a str, &'a TrafficOutcome),
    /// Several under one name.
    Several(String, Vec<&'a TrafficOutcome>),
}

type Named<'a> = (&'a String, &'a TrafficOutcome);

/// At most `most` lines for these: each its own if there is room; else families, each with the member that is unlike the others; and
/// where that is not enough, those that did worst, and the `rest` added up.
pub(super) fn lines<'a>(all: &[Named<'a>], most: usize, rest: &str) -> Vec<Line<'a>> {
    let own = |&(name, traffic): &Named<'a>| Line::One(name.as_str(), traffic);
    if all.len() <= most {
        return all.iter().map(own).collect();
    }
    let families = families(all);
    let mut lines = Vec::new();
    for members in &families {
        if members.len() < FAMILY {
            lines.extend(members.iter().map(own));
            continue;
        }
        let (first, last) = (members[0].0, members[members.len() - 1].0);
        let traffic = members.iter().map(|(_, traffic)| *traffic).collect();
        lines.push(Line::Several(format!("{first} .. {last} ({})", members.len()), traffic));
        lines.extend(odd(members).iter().map(own));
    }
    if lines.len() <= most {
        return lines;
    }
    let mut worst: Vec<usize> = (0..all.len()).collect();
    worst.sort_by_key(|&place| (failed(all[place].1), Reverse(all[place].1.latency_ns.map_or(0, |at| at.max)), place));
    worst.truncate(most.saturating_sub(1));
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut others = Vec::new();
    for (place, named) in all.iter().enumerate() {
        if worst.contains(&place) { lines.push(own(named)) } else { others.push(named.1) }
    }
    lines.push(Line::Several(format!("{} {rest}", others.len()), others));
    lines
}

/// Less is worse: the share that ended well, in parts per million.
fn failed(traffic: &TrafficOutcome) -> u32 {
    traffic.ok_share.map_or(1_000_000, Share::ppm)
}

/// Those whose names are the same but for a number at the end, in the order of the first of each.
fn families<'a>(all: &[Named<'a>]) -> Vec<Vec<Named<'a>>> {
    let mut families: Vec<(&str, Vec<Named<'a>>)> = Vec::new();
    for &(name, traffic) in all {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let numbered = stem.len() < name.len();
        match families.iter_mut().find(|(other, _)| numbered && *other == stem) {
            Some((_, members)) => members.push((name, traffic)),
            // A name without a number stands for itself only.
            None => families.push((if numbered { stem } else { "" }, vec![(name, traffic)])),
        }
    }
    families.into_iter().map(|(_, members)| members).collect()
}

/// The member that is unlike the others: of which most failed, if it is not so of all, or that is twice as slow as the one in the middle.
fn odd<'a>(members: &[Named<'a>]) -> Option<Named<'a>> {
    let mut by_failures: Vec<&Named<'a>> = members.iter().collect();
    by_failures.sort_by_key(|(_, traffic)| failed(traffic));
    let middle = |sorted: &[&Named<'a>]| sorted[sorted.len() / 2].1.clone();
    if failed(by_failures[0].1) + 1_000 < failed(&middle(&by_failures)) {
        return Some(*by_failures[0]);
    }
    let p50 = |traffic: &TrafficOutcome| traffic.latency_ns.and_then(|at| at.p50).unwrap_or(0);
    let mut by_latency: Vec<&Named<'a>> = members.iter().collect();
    by_latency.sort_by_key(|(_, traffic)| p50(traffic));
    let slowest = by_latency[by_latency.len() - 1];
    (p50(slowest.1) > 2 * p50(&middle(&by_latency))).then_some(*slowest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn named(line: &Line<'_>) -> (String, usize) {
        match line {
            Line::One(name, _) => ((*name).to_owned(), 1),
            Line::Several(name, members) => (name.clone(), members.len()),
        }
    }

    #[test]
    fn a_family_is_a_line_with_the_one_that_is_unlike_the_others() {
        let names: Vec<String> = ["web", "shop-1", "shop-2", "api", "shop-3", "shop-4"].map(String::from).to_vec();
        let mut traffic = vec![fixture::pages(); names.len()];
        let all = |traffic: &[TrafficOutcome], most| {
            let named_all: Vec<_> = names.iter().zip(traffic).collect();
            lines(&named_all, most, "others").iter().map(named).collect::<Vec<_>>()
        };
        assert_eq!(all(&traffic, 6).len(), 6, "there is room for all");
        let line = |name: &str, n| (name.to_owned(), n);
        let together = line("shop-1 .. shop-4 (4)", 4);
        assert_eq!(all(&traffic, 5), [line("web", 1), together.clone(), line("api", 1)]);
        traffic[4].ok_share = Share::of(1, 2);
        assert_eq!(all(&traffic, 5), [line("web", 1), together, line("shop-3", 1), line("api", 1)]);
        assert_eq!(all(&traffic, 3)[..2], [line("web", 1), line("shop-3", 1)], "the worst, in their order");
        assert_eq!(all(&traffic, 3)[2], line("4 others", 4));
        assert_eq!(all(&traffic, 1), [line("6 others", 6)]);
    }
}
