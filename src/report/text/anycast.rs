//! Anycast addresses in the summary: a line for each time in which a machine did not announce one.

use super::super::style::Style;
use super::super::table::{Align, Table};
use super::detail::Detail;
use super::more;
use crate::base::Span;
use crate::run::outcome::Outcome;

pub(super) fn anycast(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let right = Align::Right;
    let mut table = Table::new([
        ("anycast", Align::Left),
        ("member", Align::Left),
        ("withdrawn at", right),
        ("routes followed", right),
        ("announced again", right),
        ("routes followed", right),
    ]);
    let mut left = 0;
    for (name, address) in &outcome.anycast {
        for (member, told) in &address.members {
            for withdrawal in &told.withdrawn {
                if table.len() == detail.withdrawals {
                    left += 1;
                    continue;
                }
                let after = |from: Option<u64>, at: Option<u64>| {
                    let span = from.zip(at).map(|(from, at)| Span::from_nanos(at.saturating_sub(from)));
                    span.map_or_else(|| "-".to_owned(), |span| format!("after {span}"))
                };
                let begun = Some(withdrawal.at_ns);
                table.row([
                    name.as_str().into(),
                    member.as_str().into(),
                    Span::from_nanos(withdrawal.at_ns).to_string().into(),
                    after(begun, withdrawal.rerouted_ns).into(),
                    after(begun, withdrawal.announced_ns).into(),
                    after(withdrawal.announced_ns, withdrawal.restored_ns).into(),
                ]);
            }
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.render(style) + &more(style, left, "withdrawal", "withdrawals")
}

#[cfg(test)]
mod tests {
    use super::super::detail::LEVELS;
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_withdrawal_is_a_line() {
        let mut outcome = fixture::outcome([("pages", fixture::pages())]);
        assert_eq!(anycast(&outcome, &LEVELS[0], Style::Plain), "");
        outcome.anycast.insert("front".into(), fixture::anycast());
        let text = anycast(&outcome, &LEVELS[0], Style::Plain);
        let cells: Vec<&str> =
            text.lines().nth(1).unwrap().split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, ["front", "lb-ny", "10.0 s", "after 1.00 s", "after 20.0 s", "-"]);
        let withdrawn = &mut outcome.anycast["front"].members["lb-ny"].withdrawn;
        withdrawn.resize(9, withdrawn[0]);
        assert!(anycast(&outcome, &LEVELS[0], Style::Plain).ends_with("3 more withdrawals: --format json shows all\n"));
    }
}
