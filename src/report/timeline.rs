//! The timeline of faults on the terminal: a line for each strike.

use super::style::Style;
use super::table::{Align, Cell, Table, counted, grouped};
use crate::base::Span;
use crate::run::timeline::StrikeOutcome;
use std::fmt::Write as _;

/// The first `most` strikes in the order of time; of more, the rest is counted.
pub(super) fn timeline(strikes: &[StrikeOutcome], most: usize, style: Style) -> String {
    let right = Align::Right;
    let columns = [("at", right), ("fault", Align::Left), ("lasted", right), ("lost", right)];
    let more = [("first noticed", Align::Left), ("rerouted", right), ("failed", right), ("service back", right)];
    let mut table = Table::new(columns.into_iter().chain(more));
    for strike in strikes.iter().take(most) {
        let after = |at: u64| Span::from_nanos(at.saturating_sub(strike.struck_ns)).to_string();
        let or_dash = |at: Option<u64>| at.map_or_else(|| "-".to_owned(), after);
        let noticed = strike.noticed.first().map_or_else(
            || "by nobody".to_owned(),
            |first| format!("after {} by {} ({})", after(first.at_ns), first.node, first.by.replace('_', " ")),
        );
        let failed: u64 = strike.traffic.values().map(|touched| touched.failed).sum();
        let back = strike.traffic.values().map(|touched| touched.recovered_ns).collect::<Option<Vec<u64>>>();
        let back = match back {
            Some(times) => times.into_iter().max().map_or_else(|| "-".into(), |at| after(at).into()),
            None => Cell::painted("never", Style::bad),
        };
        table.row([
            Span::from_nanos(strike.struck_ns).to_string().into(),
            strike.fault.as_str().into(),
            strike.healed_ns.map_or_else(|| "to the end".to_owned(), after).into(),
            grouped(strike.lost.values().sum()).into(),
            noticed.into(),
            or_dash(strike.rerouted_ns).into(),
            grouped(failed).into(),
            back,
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    let mut text = table.render(style);
    if strikes.len() > most {
        let more = counted((strikes.len() - most) as u64, "more strike", "more strikes");
        let _ = writeln!(text, "{}", style.dim(&format!("{more} of faults: --format json shows all")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_strike_is_a_line_and_many_are_counted() {
        let mut never = fixture::strike();
        (never.healed_ns, never.rerouted_ns) = (None, None);
        never.noticed.clear();
        never.traffic.values_mut().for_each(|touched| touched.recovered_ns = None);
        let mut strikes = vec![fixture::strike(), never];
        let text = timeline(&strikes, 6, Style::Plain);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        let first =
            ["10.0 s", "cut edge-origin", "5.00 s", "17", "after 204 ms by user (rto)", "1.00 s", "2", "2.10 s"];
        assert_eq!(lines[1], first);
        assert_eq!(lines[2], ["10.0 s", "cut edge-origin", "to the end", "17", "by nobody", "-", "2", "never"]);
        strikes.resize(9, fixture::strike());
        assert!(timeline(&strikes, 6, Style::Plain).ends_with("3 more strikes of faults: --format json shows all\n"));
        assert_eq!(timeline(&[], 6, Style::Plain), "");
    }
}
