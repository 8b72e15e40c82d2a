//! Stores in the summary: a line for each member, and who took over when.

use super::super::style::Style;
use super::super::table::{Align, Table, grouped};
use super::detail::Detail;
use super::more;
use crate::base::Span;
use crate::run::outcome::Outcome;
use std::fmt::Write as _;

/// Changes of roles that are shown of each store.
const CHANGES: usize = 4;

pub(super) fn stores(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let mut table = Table::new([
        ("store", Align::Left),
        ("member", Align::Left),
        ("writes", Align::Left),
        ("reads", Align::Right),
        ("stale", Align::Right),
        ("applied", Align::Right),
        ("lag p50", Align::Right),
        ("max", Align::Right),
    ]);
    let mut left = 0;
    for (name, store) in &outcome.stores {
        for (index, (member, did)) in store.members.iter().enumerate() {
            if table.len() == detail.members {
                left += 1;
                continue;
            }
            let first = index == 0;
            let writes = &store.writes;
            let mut fate = format!("{} done", grouped(writes.acknowledged));
            if writes.lost > 0 {
                let _ = write!(fate, ", {} lost", grouped(writes.lost));
            }
            if writes.refused > 0 {
                let _ = write!(fate, ", {} refused", grouped(writes.refused));
            }
            let lag = |pick: fn(&crate::run::outcome::Latency) -> Option<u64>| {
                did.lag_ns.as_ref().and_then(pick).map_or_else(String::new, |nanos| Span::from_nanos(nanos).to_string())
            };
            table.row([
                if first { name.as_str().into() } else { "".into() },
                member.as_str().into(),
                if first { fate.into() } else { "".into() },
                grouped(did.reads).into(),
                grouped(did.stale).into(),
                grouped(did.applied).into(),
                lag(|lag| lag.p50).into(),
                lag(|lag| Some(lag.max)).into(),
            ]);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    let mut text = table.render(style) + &more(style, left, "member", "members");
    for store in outcome.stores.values() {
        for change in store.changes.iter().filter(|change| change.what == "promoted").take(detail.members.min(CHANGES))
        {
            let at = Span::from_nanos(change.at_ns);
            let _ = writeln!(text, "{at}: {} is primary (epoch {})", change.member, change.epoch);
        }
    }
    text
}
