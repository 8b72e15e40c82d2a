//! Links in the summary: those that dropped, then the busiest.

use super::detail::Detail;
use super::more;
use crate::base::Bytes;
use crate::report::style::Style;
use crate::report::table::{Align, Cell, Table, grouped};
use crate::run::outcome::{DirectionOutcome, LinkOutcome, Outcome};
use indexmap::IndexMap;
use std::fmt::Write as _;

/// The link directions that matter: those that dropped, then the busiest.
pub(super) fn links(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let directions = |link: &LinkOutcome| {
        [(link.a.clone(), link.b.clone(), link.a_to_b.clone()), (link.b.clone(), link.a.clone(), link.b_to_a.clone())]
    };
    let mut all: Vec<(String, String, DirectionOutcome)> = outcome.links.values().flat_map(directions).collect();
    all.retain(|(.., direction)| direction.packets > 0 || !direction.drops.is_empty());
    let total = all.len();
    all.sort_by_key(|(.., direction)| {
        std::cmp::Reverse((direction.drops.values().sum::<u64>() > 0, direction.utilisation))
    });
    all.truncate(detail.directions);
    let marking = all.iter().any(|(.., direction)| direction.marks > 0);
    let mut columns = vec![("link", Align::Left), ("packets", Align::Right), ("bytes", Align::Right)];
    columns.extend([("busy", Align::Right), ("queue mean", Align::Right), ("queue max", Align::Right)]);
    if marking {
        columns.push(("marked", Align::Right));
    }
    columns.push(("dropped", Align::Left));
    let mut table = Table::new(columns);
    for (from, to, direction) in &all {
        let mut row: Vec<Cell> = vec![
            format!("{from} > {to}").into(),
            grouped(direction.packets).into(),
            Bytes(direction.bytes).to_string().into(),
            direction.utilisation.to_string().into(),
            Bytes(direction.queue.mean_bytes).to_string().into(),
            Bytes(direction.queue.max_bytes).to_string().into(),
        ];
        if marking {
            row.push(grouped(direction.marks).into());
        }
        row.push(drops(&direction.drops).into());
        table.row(row);
    }
    if table.is_empty() {
        return String::new();
    }
    let mut text = table.render(style);
    text.push_str(&more(style, total - all.len(), "direction of links", "directions of links"));
    for (node, dropped) in outcome.node_drops.iter().take(detail.directions) {
        let _ = writeln!(text, "dropped by {node}: {}", drops(dropped));
    }
    let left = outcome.node_drops.len().saturating_sub(detail.directions);
    text + &more(style, left, "node that dropped packets", "nodes that dropped packets")
}

fn drops(drops: &IndexMap<String, u64>) -> String {
    let parts: Vec<String> =
        drops.iter().map(|(cause, n)| format!("{} {}", grouped(*n), cause.replace('_', " "))).collect();
    parts.join(", ")
}
