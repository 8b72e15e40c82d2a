//! Registries in the summary: a line for each instance that was dropped or came late.

use super::super::style::Style;
use super::super::table::{Align, Table, grouped};
use super::detail::Detail;
use super::more;
use crate::base::Span;
use crate::run::outcome::Outcome;

pub(super) fn stays(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let right = Align::Right;
    let mut table = Table::new([
        ("registry", Align::Left),
        ("instance", Align::Left),
        ("on the list at", right),
        ("first asked", right),
        ("last heard of", right),
        ("dropped", right),
        ("stale calls", right),
        ("the last", right),
    ]);
    let mut left = 0;
    for (name, stays) in &outcome.registries {
        for stay in stays {
            if table.len() == detail.stays {
                left += 1;
                continue;
            }
            let at = |at: u64| Span::from_nanos(at).to_string();
            let after = |from: Option<u64>, to: Option<u64>| {
                let span = from.zip(to).map(|(from, to)| Span::from_nanos(to.saturating_sub(from)));
                span.map_or_else(|| "-".to_owned(), |span| format!("after {span}"))
            };
            let dropped = after(stay.heard_ns, stay.dropped_ns);
            table.row([
                name.as_str().into(),
                stay.instance.as_str().into(),
                at(stay.registered_ns).into(),
                after(Some(stay.registered_ns), stay.first_call_ns).into(),
                stay.heard_ns.map_or_else(|| "-".to_owned(), at).into(),
                if stay.signed_off { "signed off".into() } else { dropped.into() },
                grouped(stay.stale_calls).into(),
                after(if stay.signed_off { stay.dropped_ns } else { stay.heard_ns }, stay.last_stale_ns).into(),
            ]);
        }
    }
    if table.is_empty() {
        return String::new();
    }
    table.render(style) + &more(style, left, "instance", "instances")
}

#[cfg(test)]
mod tests {
    use super::super::detail::LEVELS;
    use super::*;
    use crate::report::fixture;

    #[test]
    fn an_instance_is_a_line() {
        let mut outcome = fixture::outcome([("pages", fixture::pages())]);
        assert_eq!(stays(&outcome, &LEVELS[0], Style::Plain), "");
        outcome.registries.insert("registry".into(), vec![fixture::stay()]);
        let text = stays(&outcome, &LEVELS[0], Style::Plain);
        let cells: Vec<&str> =
            text.lines().nth(1).unwrap().split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let expected =
            ["registry", "shop/2", "1.00 ms", "after 39.0 ms", "9.00 s", "after 3.00 s", "17", "after 4.50 s"];
        assert_eq!(cells, expected);
        outcome.registries["registry"].resize(11, fixture::stay());
        assert!(stays(&outcome, &LEVELS[0], Style::Plain).ends_with("3 more instances: --format json shows all\n"));
    }
}
