//! Hosts that moved between their addresses, in the summary: a line for each move.

use super::super::style::Style;
use super::super::table::{Align, Table, counted};
use super::detail::Detail;
use super::more;
use crate::base::Span;
use crate::run::outcome::Outcome;
use crate::run::roaming::{HomeOutcome, MoveOutcome};

pub(super) fn moves(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let mut table = Table::new([
        ("host", Align::Left),
        ("at", Align::Right),
        ("from", Align::Left),
        ("speaks from", Align::Left),
        ("TCP", Align::Left),
        ("QUIC", Align::Left),
    ]);
    for moved in outcome.moves.iter().take(detail.moves) {
        let home = |home: &Option<HomeOutcome>| {
            home.as_ref().map_or_else(|| "nowhere".to_owned(), |home| format!("{} via {}", home.address, home.via))
        };
        let from = moved.from.as_ref().map_or_else(|| "nowhere".to_owned(), |home| home.via.clone());
        let ended = |n: u32| if n == 0 { "-".to_owned() } else { format!("{n} ended") };
        table.row([
            moved.node.as_str().into(),
            Span::from_nanos(moved.at_ns).to_string().into(),
            from.into(),
            home(&moved.to).into(),
            ended(moved.tcp_ended).into(),
            quic(moved).into(),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    table.render(style) + &more(style, outcome.moves.len() - table.len(), "move", "moves")
}

/// What became of the QUIC connections.
fn quic(moved: &MoveOutcome) -> String {
    let mut said = Vec::new();
    if moved.quic_migrated > 0 {
        let validated = moved.validated_ns.map(|at| Span::from_nanos(at.saturating_sub(moved.at_ns)));
        let proved = validated.map_or_else(|| "not validated".to_owned(), |span| format!("validated after {span}"));
        said.push(format!("{}, {proved}", counted(u64::from(moved.quic_migrated), "migrated", "migrated")));
    }
    if moved.quic_ended > 0 {
        said.push(format!("{} ended", moved.quic_ended));
    }
    if said.is_empty() { "-".to_owned() } else { said.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::super::detail::LEVELS;
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_move_is_a_line() {
        let mut outcome = fixture::outcome([("pages", fixture::pages())]);
        assert_eq!(moves(&outcome, &LEVELS[0], Style::Plain), "");
        let gone = MoveOutcome { to: None, tcp_ended: 0, quic_migrated: 0, validated_ns: None, ..fixture::moved() };
        outcome.moves = vec![fixture::moved(), gone];
        let text = moves(&outcome, &LEVELS[0], Style::Plain);
        let cells = |line: usize| -> Vec<String> {
            let line = text.lines().nth(line).unwrap();
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
        };
        let quic = "1 migrated, validated after 60.0 ms";
        assert_eq!(cells(1), ["phone", "10.0 s", "access-point", "10.0.1.2 via tower", "2 ended", quic]);
        assert_eq!(cells(2), ["phone", "10.0 s", "access-point", "nowhere", "-", "-"]);
        outcome.moves.resize(9, fixture::moved());
        assert!(moves(&outcome, &LEVELS[0], Style::Plain).ends_with("3 more moves: --format json shows all\n"));
    }
}
