//! The summary on the terminal: the verdict first, one screen, and what to do next last.

mod anycast;
mod budget;
mod detail;
mod edges;
mod families;
mod links;
mod registry;
mod roaming;
mod stores;
mod traffic;

use self::detail::{Budgets, Detail, LEVELS, Section};
use super::style::Style;
use super::table::{Align, Cell, Table, WIDTH, counted, fold};
use super::timeline::timeline;
use crate::base::Span;
use crate::run::outcome::{Outcome, TrafficKind};
use std::fmt::Write as _;

/// Lines that a summary may have: what a screen shows.
const LINES: usize = 50;

/// How to show a summary.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// With colour or without.
    pub style: Style,
    /// The scenario's file as the user named it, for the commands that are suggested.
    pub file: Option<&'a str>,
    /// Where results were written, if they were.
    pub out: Option<&'a str>,
    /// The seed that the user asked for instead of the scenario's: commands that are suggested ask for it too.
    pub seed: Option<u64>,
    /// Warnings have been told elsewhere, or nobody wants them: only the outcome's files repeat them.
    pub warned: bool,
}

/// The summary, in as much detail as fits a screen.
#[must_use]
pub fn summary(outcome: &Outcome, options: Options<'_>) -> String {
    let mut sections = Vec::new();
    for detail in &LEVELS {
        sections = composed(outcome, options, detail);
        if lines(&sections) <= LINES {
            return joined(&sections);
        }
    }
    let mut left_out = Vec::new();
    for section in Section::DISPENSABLE {
        if lines(&sections) + 2 <= LINES {
            break;
        }
        if let Some(place) = sections.iter().position(|(other, _)| *other == section) {
            sections.remove(place);
            left_out.push(section.name());
        }
    }
    let note = format!("no room for {}: --format json shows all", left_out.join(", "));
    let end = sections.iter().position(|(section, _)| *section == Section::Next).unwrap_or(sections.len());
    sections.insert(end, (Section::LeftOut, format!("{}\n", options.style.dim(&note))));
    joined(&sections)
}

/// The sections that say anything, in their order.
fn composed(outcome: &Outcome, options: Options<'_>, detail: &Detail) -> Vec<(Section, String)> {
    let style = options.style;
    let failures = traffic::failures(outcome, detail, style) + &traffic::servers(outcome, detail);
    let sections = [
        (Section::Verdict, verdict(outcome, style)),
        (Section::Expectations, expectations(outcome, detail, style)),
        (Section::Traffic, traffic::traffic(outcome, detail, style)),
        (Section::Failures, failures),
        (Section::Budgets, budgets(outcome, detail, style)),
        (Section::Routes, budget::routes(outcome, detail, style)),
        (Section::Timeline, timeline(&outcome.timeline, detail.strikes, style)),
        (Section::Moves, roaming::moves(outcome, detail, style)),
        (Section::Anycast, anycast::anycast(outcome, detail, style)),
        (Section::Registries, registry::stays(outcome, detail, style)),
        (Section::Judgements, judgements(outcome, detail, style)),
        (Section::Stores, stores::stores(outcome, detail, style)),
        (Section::Edges, edges::edges(outcome, detail, style)),
        (Section::Links, links::links(outcome, detail, style)),
        (Section::Warnings, if options.warned { String::new() } else { warnings(outcome, detail, style) }),
        (Section::Next, next(outcome, options)),
    ];
    let said = sections.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(section, text)| (section, fold(&text, WIDTH))).collect()
}

/// How many lines the sections and the empty lines between them are.
fn lines(sections: &[(Section, String)]) -> usize {
    sections.iter().map(|(_, text)| text.lines().count() + 1).sum::<usize>().saturating_sub(1)
}

fn joined(sections: &[(Section, String)]) -> String {
    sections.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n")
}

/// `n` more that are not shown.
fn more(style: Style, n: usize, one: &str, many: &str) -> String {
    if n == 0 {
        return String::new();
    }
    let more = counted(n as u64, &format!("more {one}"), &format!("more {many}"));
    format!("{}\n", style.dim(&format!("{more}: --format json shows all")))
}

fn span(nanos: u64) -> String {
    Span::from_nanos(nanos).to_string()
}

fn verdict(outcome: &Outcome, style: Style) -> String {
    let all = outcome.expect.len();
    let failed = outcome.expect.iter().filter(|expectation| !expectation.ok).count();
    let verdict = match (all, failed) {
        (0, _) => "ran; expects nothing".to_owned(),
        (1, 0) => style.good("met its expectation"),
        (_, 0) => style.good(&format!("met all {all} expectations")),
        (1, _) => style.bad("FAILED its expectation"),
        _ => style.bad(&format!("FAILED {failed} of {all} expectations")),
    };
    let wall = Span::from_nanos(outcome.performance.wall_ns);
    let cost = if wall.is_zero() { String::new() } else { format!(" in {wall}") };
    let simulated = Span::from_nanos(outcome.simulated_ns);
    let repeat = style.dim("(same file and seed: same digest)");
    let name = style.bold(&outcome.scenario);
    let (seed, digest) = (outcome.seed, &outcome.digest);
    format!("{name} {verdict}\nseed {seed}   {simulated} simulated{cost}   digest {digest} {repeat}\n")
}

fn expectations(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let mut table = Table::new([("", Align::Left), ("expected", Align::Left), ("measured", Align::Left)]);
    // Those that failed first: they are what the reader came for.
    let mut expectations: Vec<_> = outcome.expect.iter().collect();
    expectations.sort_by_key(|expectation| expectation.ok);
    for expectation in expectations.iter().take(detail.expectations) {
        let (mark, measured) = if expectation.ok {
            (Cell::painted("ok", Style::good), expectation.measured.as_str().into())
        } else {
            (Cell::painted("FAILED", Style::bad), Cell::painted(&*expectation.measured, Style::bad))
        };
        table.row([mark, expectation.text.as_str().into(), measured]);
    }
    if table.is_empty() {
        return String::new();
    }
    let left = &expectations[table.len()..];
    let failed = left.iter().filter(|expectation| !expectation.ok).count();
    let which = match failed {
        0 => ("expectation, met", "expectations, all met".to_owned()),
        _ => ("expectation, FAILED", format!("expectations, {failed} of them FAILED")),
    };
    table.render(style) + &more(style, left.len(), which.0, &which.1)
}

/// Where the time of each traffic goes, or of all in one table.
fn budgets(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    // What servers ask of others is in the budgets of those who asked them.
    let all: Vec<_> = outcome
        .traffic
        .iter()
        .filter(|(_, traffic)| budget::has_budget(traffic) && !traffic.called)
        .map(|(name, traffic)| (name.as_str(), traffic))
        .collect();
    match detail.budgets {
        Budgets::Each(most) if all.len() <= most => {
            let each: Vec<String> = all.iter().map(|(name, traffic)| budget::budget(name, traffic, style)).collect();
            each.join("\n")
        }
        Budgets::Each(_) | Budgets::Together => budget::together(&all, style),
        Budgets::None => String::new(),
    }
}

/// The first judgements.
fn judgements(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let mut text = String::new();
    for entry in outcome.judgements.iter().take(detail.judgements) {
        let _ = writeln!(text, "{}  {}: {} {}", span(entry.at_ns), entry.who, entry.subject, entry.what);
    }
    let left = outcome.judgements.len().saturating_sub(detail.judgements);
    text + &more(style, left, "judgement", "judgements")
}

fn warnings(outcome: &Outcome, detail: &Detail, style: Style) -> String {
    let shown = outcome.warnings.iter().take(detail.warnings);
    let text = shown.fold(String::new(), |mut text, warning| {
        let _ = writeln!(text, "{} {warning}", style.warn("warning:"));
        text
    });
    text + &more(style, outcome.warnings.len().saturating_sub(detail.warnings), "warning", "warnings")
}

/// What the reader most likely wants to do next.
fn next(outcome: &Outcome, options: Options<'_>) -> String {
    let Some(file) = options.file else { return String::new() };
    let seed = options.seed.map_or_else(String::new, |seed| format!(" --seed {seed}"));
    let mut commands = Vec::new();
    let slowest = outcome
        .traffic
        .iter()
        .filter(|(_, traffic)| budget::has_budget(traffic) && !traffic.called && traffic.kind != TrafficKind::Route)
        .max_by_key(|(_, traffic)| traffic.latency_ns.map_or(0, |latency| latency.max));
    if let Some((name, _)) = slowest {
        let only = outcome.traffic.len() == 1;
        let which = if only { String::new() } else { format!(" --traffic {}", shell_word(name)) };
        commands.push(format!("lightlag explain {}{which} --slowest{seed}", shell_word(file)));
    }
    match options.out {
        Some(out) => commands.push(format!("lightlag plot cdf {}", shell_word(out))),
        None => commands.push(format!("lightlag run {} --out results{seed}", shell_word(file))),
    }
    commands.truncate(if options.out.is_some() { 2 } else { 1 });
    commands.iter().fold(String::new(), |text, command| format!("{text}{} {command}\n", style_next(options.style)))
}

fn style_next(style: Style) -> String {
    style.dim("next:")
}

/// `word` as one word of a shell.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    const PLAIN: Options<'_> =
        Options { style: Style::Plain, file: Some("shop.ron"), out: None, seed: None, warned: false };

    #[test]
    fn the_summary_fits_a_screen() {
        let text = summary(&fixture::outcome([("pages", fixture::pages())]), PLAIN);
        assert!(text.lines().count() <= 40, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100 && line == line.trim_end()), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn nothing_is_too_much_for_a_screen() {
        let names: Vec<String> = (0..40).map(|n| format!("traffic of kind {}-{n}", n / 4)).collect();
        let mut outcome = fixture::outcome([("pages", fixture::pages()), ("way", fixture::route())]);
        for (at, name) in names.iter().enumerate() {
            let called = at % 3 == 0;
            outcome.traffic.insert(name.clone(), crate::run::outcome::TrafficOutcome { called, ..fixture::pages() });
            outcome.anycast.insert(name.clone(), fixture::anycast());
            outcome.stores.insert(name.clone(), fixture::store());
            outcome.registries.insert(name.clone(), vec![fixture::stay(); 3]);
        }
        fixture::cache(&mut outcome);
        outcome.timeline = vec![fixture::strike(); 30];
        outcome.moves = vec![fixture::moved(); 30];
        let (expectation, warning) = (outcome.expect[0].clone(), outcome.warnings[0].clone());
        outcome.expect = vec![expectation; 60];
        outcome.expect[50].ok = false;
        outcome.warnings = vec![warning.repeat(8); 9];
        let text = summary(&outcome, PLAIN);
        assert!(text.lines().count() <= LINES, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.contains("FAILED  ") && text.contains("no room for") && text.contains("next: "), "{text}");
    }

    #[test]
    fn colour_adds_nothing_to_the_words() {
        let outcome = fixture::outcome([("pages", fixture::pages()), ("way", fixture::route())]);
        let mut colourful = summary(&outcome, Options { style: Style::Ansi, ..PLAIN });
        for code in ["0", "1", "2", "36", "1;31", "1;32", "1;33"] {
            colourful = colourful.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(colourful, summary(&outcome, PLAIN));
    }

    #[test]
    fn a_route_is_shown_hop_by_hop() {
        let mut outcome = fixture::outcome([("way", fixture::route())]);
        outcome.expect.clear();
        outcome.warnings.clear();
        insta::assert_snapshot!(summary(&outcome, Options { out: Some("my results"), ..PLAIN }));
    }
}
