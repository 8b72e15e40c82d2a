//! Where the time goes, in the summary: by phases for the median and the slowest, and hop by hop for a route.

use super::detail::Detail;
use super::traffic::unit;
use super::{more, span};
use crate::report::style::Style;
use crate::report::table::{Align, Cell, Table, grouped};
use crate::run::outcome::{Outcome, TrafficKind, TrafficOutcome};
use indexmap::IndexMap;
use std::fmt::Write as _;

/// Columns of the longest bar.
const BAR: usize = 32;
/// Traffic in one table: more has no room beside each other.
const TOGETHER: usize = 4;

/// Whether a traffic has a budget worth showing: transfers for so long have one phase only.
pub(super) fn has_budget(traffic: &TrafficOutcome) -> bool {
    traffic.median.is_some() && traffic.phases_ns.len() > 1
}

/// What a phase is called on the screen; both directions of a request count together.
fn category(phase: &str) -> &'static str {
    match phase.strip_prefix("request_").or_else(|| phase.strip_prefix("response_")).unwrap_or(phase) {
        "held" => "bulkhead",
        "backoff" => "backoff",
        "earlier_tries" => "earlier tries",
        "dead_connection" => "dead connection",
        "read_first" => "reading first",
        "dns" => "name lookup",
        "connect" => "connecting",
        "wait" | "sender_wait" => "sender wait",
        "recovery" => "loss recovery",
        "serialisation" => "serialisation",
        "queueing" => "queueing",
        "propagation" => "propagation",
        "reorder_wait" => "reorder wait",
        "server_queue" => "server queue",
        "server_calls" => "server's calls",
        "server_core_wait" => "shared cores",
        "server_work" => "server work",
        "read_wait" => "reader wait",
        "turnaround" => "turnaround",
        "unanswered" => "unanswered",
        "unobserved" => "unobserved",
        _ => "other",
    }
}

/// Totals by category, in the order in which categories first occur.
fn categories(phases: &IndexMap<String, u64>) -> IndexMap<&'static str, u64> {
    let mut totals = IndexMap::new();
    for (phase, nanos) in phases {
        *totals.entry(category(phase)).or_insert(0) += nanos;
    }
    totals
}

/// Where the time goes, for the median and for the slowest hundredth.
pub(super) fn budget(name: &str, traffic: &TrafficOutcome, style: Style) -> String {
    let (Some(median), Some(slowest)) = (&traffic.median, &traffic.slowest) else { return String::new() };
    let mut typical = categories(&median.phases_ns);
    let slow = categories(&slowest.phases_ns);
    slow.keys().for_each(|&category| {
        typical.entry(category).or_insert(0);
    });
    let several = traffic.latency_ns.is_some_and(|latency| latency.count > 1);
    let mean_slow = |category: &str| slow.get(category).map_or(0, |total| total / slowest.count.max(1));
    let unit = unit(traffic.kind).0;
    let mut text = format!("{} where the {}{unit}'s time goes", style.bold(name), if several { "median " } else { "" });
    if let Some(floor) = traffic.light_floor_ns.filter(|&floor| floor > 0) {
        let way = if traffic.kind == TrafficKind::Messages { "one way" } else { "round trip" };
        let _ = write!(text, "   {}", style.dim(&format!("light in fiber: {} {way}", span(floor))));
    }
    text.push('\n');
    let slow_name = match slowest.count {
        1 => format!("slowest (#{})", slowest.number),
        n => format!("slowest 1% (mean of {})", grouped(n)),
    };
    let slow_name = if several { slow_name } else { String::new() };
    let mut table = Table::new([
        (String::new(), Align::Left),
        (String::new(), Align::Left),
        (if several { format!("median (#{})", median.number) } else { String::new() }, Align::Right),
        (slow_name, Align::Right),
    ])
    .indented(2);
    let longest = typical.values().copied().max().unwrap_or(0).max(1);
    let shown = |(category, nanos): &(&&str, &u64)| {
        // A thousandth of the whole is the least that anyone would act on.
        **nanos * 1000 >= median.latency_ns.max(1)
            || several && mean_slow(category) * slowest.count * 1000 >= slowest.latency_ns.max(1)
    };
    let mut rest = 0;
    for (category, nanos) in &typical {
        if !shown(&(category, nanos)) {
            rest += nanos;
            continue;
        }
        let width = usize::try_from(u128::from(*nanos) * BAR as u128 / u128::from(longest)).unwrap_or(BAR);
        let bar = if width == 0 && *nanos > 0 { ".".into() } else { "#".repeat(width) };
        let slow = if several { span(mean_slow(category)) } else { String::new() };
        table.row([(*category).into(), Cell::painted(bar, Style::bar), span(*nanos).into(), slow.into()]);
    }
    if rest > 0 {
        table.row(["all else".into(), Cell::painted(".", Style::bar), span(rest).into()]);
    }
    let slow = if several { span(slowest.latency_ns / slowest.count.max(1)) } else { String::new() };
    table.row([
        Cell::painted("total", Style::bold),
        Cell::default(),
        Cell::painted(span(median.latency_ns), Style::bold),
        Cell::painted(slow, Style::bold),
    ]);
    text + &table.render(style)
}

/// A median and its slowest hundredth beside each other for each traffic, the phases that matter to any of them.
pub(super) fn together(all: &[(&str, &TrafficOutcome)], style: Style) -> String {
    let parts: Vec<_> = all
        .iter()
        .filter_map(|&(name, traffic)| Some((name, traffic.median.as_ref()?, traffic.slowest.as_ref()?)))
        .take(TOGETHER)
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    let mut order: IndexMap<&str, ()> = IndexMap::new();
    let columns: Vec<_> = parts
        .iter()
        .map(|&(name, median, slowest)| {
            (name, categories(&median.phases_ns), categories(&slowest.phases_ns), median, slowest)
        })
        .collect();
    for (_, typical, slow, median, slowest) in &columns {
        let matters = |of: &IndexMap<&'static str, u64>, whole: u64| {
            // Two hundredths of the whole: what is less hides what decides.
            of.iter()
                .filter(|&(_, nanos)| nanos * 50 >= whole.max(1))
                .map(|(&category, _)| category)
                .collect::<Vec<_>>()
        };
        order.extend(matters(typical, median.latency_ns).into_iter().map(|category| (category, ())));
        order.extend(matters(slow, slowest.latency_ns).into_iter().map(|category| (category, ())));
    }
    let mut table =
        Table::new(
            [("where the time goes".to_owned(), Align::Left)].into_iter().chain(columns.iter().flat_map(
                |(name, ..)| [(format!("{name} median"), Align::Right), ("slowest 1%".into(), Align::Right)],
            )),
        );
    let cells = |of: &dyn Fn(&IndexMap<&'static str, u64>) -> u64| {
        let pairs =
            columns.iter().flat_map(|(_, typical, slow, _, slowest)| [of(typical), of(slow) / slowest.count.max(1)]);
        pairs.map(|nanos| if nanos == 0 { Cell::from("-") } else { span(nanos).into() }).collect::<Vec<_>>()
    };
    for category in order.keys() {
        let own = cells(&|of| of.get(category).copied().unwrap_or(0));
        table.row([Cell::from(*category)].into_iter().chain(own));
    }
    let rest = |of: &IndexMap<&'static str, u64>| {
        of.iter().filter(|(category, _)| !order.contains_key(*category)).map(|(_, nanos)| nanos).sum::<u64>()
    };
    table.row(["all else".into()].into_iter().chain(cells(&rest)));
    table.row([Cell::painted("total", Style::bold)].into_iter().chain(cells(&|of| of.values().sum())));
    let left = all.len().saturating_sub(parts.len());
    table.render(style) + &more(style, left, "kind of traffic", "kinds of traffic")
}

/// The hops of each traceroute.
pub(super) fn routes(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let each = outcome.traffic.iter().map(|(name, traffic)| route(name, traffic, detail.hops, style));
    each.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The hops of a traceroute.
fn route(name: &str, traffic: &TrafficOutcome, most: usize, style: Style) -> String {
    let columns = ["hop", "address", "answered", "min", "mean", "max"];
    let aligned = [Align::Right, Align::Left, Align::Right, Align::Right, Align::Right, Align::Right];
    let mut table = Table::new(columns.into_iter().zip(aligned)).indented(2);
    for hop in traffic.hops.iter().take(most) {
        let address = if hop.answered_by.is_empty() { "*".into() } else { hop.answered_by.join(" ") };
        let answered = hop.latency_ns.map_or(0, |latency| latency.count);
        let mut row: Vec<Cell> =
            vec![hop.ttl.to_string().into(), address.into(), format!("{answered} of {}", hop.sent).into()];
        if let Some(latency) = hop.latency_ns {
            row.extend([latency.min, latency.mean, latency.max].map(|nanos| span(nanos).into()));
        }
        table.row(row);
    }
    if table.is_empty() {
        return String::new();
    }
    let left = traffic.hops.len().saturating_sub(most);
    format!("{} route\n{}{}", style.bold(name), table.render(style), more(style, left, "hop", "hops"))
}
