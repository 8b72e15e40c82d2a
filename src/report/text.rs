//! The summary on the terminal: the verdict first, one screen, and what to do next last.

mod anycast;
mod edges;
mod registry;
mod stores;

use super::style::Style;
use super::table::{Align, Cell, Table, counted, grouped};
use super::timeline::timeline;
use crate::base::{BitRate, Bytes, Span};
use crate::run::outcome::{
    DirectionOutcome, Latency, LinkOutcome, Outcome, PaymentsOutcome, Resilience, Share, TrafficKind, TrafficOutcome,
};
use indexmap::IndexMap;
use std::fmt::Write as _;

/// Traffic whose budget is shown; of more there is only the table.
const BUDGETS: usize = 3;
/// Servers that turned requests away shown.
const SERVERS: usize = 3;
/// Link directions shown.
const DIRECTIONS: usize = 6;
/// Notices shown; of more, the rest is counted.
const JUDGEMENTS: usize = 4;
/// Columns of the longest bar.
const BAR: usize = 32;

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
}

/// The summary.
#[must_use]
pub fn summary(outcome: &Outcome, options: Options<'_>) -> String {
    let style = options.style;
    let mut text = verdict(outcome, style);
    section(&mut text, &expectations(outcome, style));
    section(&mut text, &traffic(outcome, style));
    section(&mut text, &(failures(outcome, style) + &servers(outcome)));
    let budgets: Vec<_> = outcome.traffic.iter().filter(|(_, traffic)| has_budget(traffic)).collect();
    if budgets.len() <= BUDGETS {
        for (name, traffic) in budgets {
            section(&mut text, &budget(name, traffic, style));
        }
    }
    for (name, traffic) in &outcome.traffic {
        section(&mut text, &route(name, traffic, style));
    }
    section(&mut text, &timeline(&outcome.timeline, style));
    section(&mut text, &anycast::anycast(outcome, style));
    section(&mut text, &registry::stays(outcome, style));
    section(&mut text, &judgements(outcome, style));
    section(&mut text, &stores::stores(outcome, style));
    section(&mut text, &edges::edges(outcome, style));
    section(&mut text, &links(outcome, style));
    section(&mut text, &warnings(outcome, style));
    section(&mut text, &next(outcome, options));
    text
}

fn section(text: &mut String, section: &str) {
    if !section.is_empty() {
        text.push('\n');
        text.push_str(section);
    }
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

fn expectations(outcome: &Outcome, style: Style) -> String {
    let mut table = Table::new([("", Align::Left), ("expected", Align::Left), ("measured", Align::Left)]);
    // Those that failed first: they are what the reader came for.
    let mut expectations: Vec<_> = outcome.expect.iter().collect();
    expectations.sort_by_key(|expectation| expectation.ok);
    for expectation in expectations {
        let (mark, measured) = if expectation.ok {
            (Cell::painted("ok", Style::good), expectation.measured.as_str().into())
        } else {
            (Cell::painted("FAILED", Style::bad), Cell::painted(&*expectation.measured, Style::bad))
        };
        table.row([mark, expectation.text.as_str().into(), measured]);
    }
    if table.is_empty() { String::new() } else { table.render(style) }
}

fn span(nanos: u64) -> String {
    Span::from_nanos(nanos).to_string()
}

fn percentile(nanos: Option<u64>) -> Cell {
    nanos.map_or_else(|| Cell::painted("too few", Style::dim), |nanos| span(nanos).into())
}

fn rate(bps: u64) -> String {
    BitRate::from_bps(bps).map_or_else(|| "-".into(), |rate| rate.to_string())
}

/// One line for each traffic. Percentiles are left out where none can be stated of any traffic.
fn traffic(outcome: &Outcome, style: Style) -> String {
    let mut latencies = outcome.traffic.values().filter_map(|traffic| traffic.latency_ns);
    let percentiles = latencies.any(|latency| latency.p50.is_some());
    let columns = if percentiles { ["p50", "p90", "p99", "p99.9", "max"].as_slice() } else { &["min", "mean", "max"] };
    let head = ["traffic", "", "ok", ""].into_iter().zip([Align::Left, Align::Right, Align::Right, Align::Right]);
    let carries = |kind| !matches!(kind, TrafficKind::Echoes | TrafficKind::Route);
    let goodput = if outcome.traffic.values().any(|traffic| carries(traffic.kind)) { "goodput" } else { "" };
    let head = head.chain(columns.iter().map(|&name| (name, Align::Right))).chain([(goodput, Align::Right)]);
    let mut table = Table::new(head);
    for (name, traffic) in &outcome.traffic {
        let mut row: Vec<Cell> = vec![
            Cell::painted(name.as_str(), Style::bold),
            counted(traffic.counts.started, unit(traffic.kind).0, unit(traffic.kind).1).into(),
            grouped(traffic.counts.ok).into(),
            traffic.ok_share.map_or_else(Cell::default, |share| ok_share(share, traffic.kind)),
        ];
        match traffic.latency_ns {
            Some(latency) if percentiles => row.extend(percentile_cells(&latency)),
            Some(latency) => row.extend([latency.min, latency.mean, latency.max].map(|nanos| span(nanos).into())),
            None => row.extend(columns.iter().map(|_| Cell::from("-"))),
        }
        row.push(if carries(traffic.kind) { rate(traffic.goodput_bps).into() } else { Cell::default() });
        table.row(row);
    }
    if table.is_empty() { String::new() } else { table.render(style) }
}

fn ok_share(share: Share, kind: TrafficKind) -> Cell {
    let text = share.to_string();
    // A lost datagram or an unanswered probe is life; a failed request is not.
    let alarming = share.ppm() < 1_000_000 && kind == TrafficKind::Requests;
    if alarming { Cell::painted(text, Style::warn) } else { text.into() }
}

fn percentile_cells(latency: &Latency) -> [Cell; 5] {
    let Latency { p50, p90, p99, p99_9, max, .. } = *latency;
    [percentile(p50), percentile(p90), percentile(p99), percentile(p99_9), span(max).into()]
}

const fn unit(kind: TrafficKind) -> (&'static str, &'static str) {
    match kind {
        TrafficKind::Requests => ("request", "requests"),
        TrafficKind::Messages => ("message", "messages"),
        TrafficKind::Echoes => ("echo", "echoes"),
        TrafficKind::Route => ("probe", "probes"),
        TrafficKind::Bulk => ("transfer", "transfers"),
    }
}

/// One line for each traffic of which not all ended well.
fn failures(outcome: &Outcome, style: Style) -> String {
    let mut text = String::new();
    // A hop that keeps silent is shown with the route.
    for (name, traffic) in outcome.traffic.iter().filter(|(_, traffic)| traffic.kind != TrafficKind::Route) {
        let counts = &traffic.counts;
        let mut parts = Vec::new();
        if counts.failed > 0 {
            let by: Vec<String> =
                counts.failed_by.iter().map(|(why, n)| format!("{} {}", grouped(*n), why.replace('_', " "))).collect();
            parts.push(style.warn(&format!("{} failed", grouped(counts.failed))) + &format!(" ({})", by.join(", ")));
        }
        if let Some(resilience) = &traffic.resilience {
            parts.extend(efforts(resilience));
        }
        if let Some(paid) = &traffic.payments {
            parts.push(money(paid, style));
        }
        if let Some(sessions) = &traffic.sessions {
            let lost = format!("{} lost", grouped(sessions.lost));
            let lost = if sessions.lost > 0 { style.bad(&lost) } else { lost };
            parts.push(format!("{lost} of {}", counted(sessions.begun, "session", "sessions")));
        }
        if counts.unfinished > 0 {
            let what = match traffic.kind {
                TrafficKind::Messages => "never arrived",
                TrafficKind::Bulk => "went on when the run ended",
                _ => "had no answer when the run ended",
            };
            parts.push(format!("{} {what}", grouped(counts.unfinished)));
        }
        if counts.duplicates > 0 {
            parts.push(format!("{} arrived more than once", grouped(counts.duplicates)));
        }
        if !parts.is_empty() {
            let _ = writeln!(text, "{name}: {}", parts.join(", "));
        }
    }
    text
}

/// What was taken, and what should have been.
fn money(paid: &PaymentsOutcome, style: Style) -> String {
    let amount = |cents: u64| format!("{}.{:02}", grouped(cents / 100), cents % 100);
    let taken = format!("charged {} of {} owed", amount(paid.charged_cents), amount(paid.owed_cents));
    if paid.charged_again == 0 {
        return taken;
    }
    style.bad(&format!("{taken}, {} again", counted(paid.charged_again, "payment", "payments")))
}

/// What retries, hedges and breakers did.
fn efforts(resilience: &Resilience) -> Vec<String> {
    let mut parts = Vec::new();
    if resilience.retries > 0 {
        let saved = grouped(resilience.saved_by_retry);
        parts.push(format!("{} ({saved} of use)", counted(resilience.retries, "retry", "retries")));
    }
    if resilience.hedges > 0 {
        let saved = grouped(resilience.saved_by_hedge);
        parts.push(format!("{} ({saved} of use)", counted(resilience.hedges, "hedge", "hedges")));
    }
    let opened = || resilience.breaker.iter().filter(|change| change.state == "open");
    if let Some(first) = opened().next() {
        let times = counted(opened().count() as u64, "time", "times");
        parts.push(format!("breaker opened {times}, first at {}", span(first.at_ns)));
    }
    parts
}

/// One line for each server that turned requests away.
fn servers(outcome: &Outcome) -> String {
    let mut text = String::new();
    let turned = outcome.servers.iter().filter(|(_, server)| !server.turned_away.is_empty());
    let all = turned.clone().count();
    for (name, server) in turned.take(SERVERS) {
        let by: Vec<String> =
            server.turned_away.iter().map(|(why, n)| format!("{} {}", grouped(*n), why.replace('_', " "))).collect();
        let _ = writeln!(text, "{name}: {} answered, turned away {}", grouped(server.answered), by.join(", "));
    }
    if all > SERVERS {
        let _ =
            writeln!(text, "and {} more turned requests away", counted((all - SERVERS) as u64, "server", "servers"));
    }
    text
}

/// Whether a traffic has a budget worth showing: transfers for so long have one phase only.
fn has_budget(traffic: &TrafficOutcome) -> bool {
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
fn budget(name: &str, traffic: &TrafficOutcome, style: Style) -> String {
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

/// The hops of a traceroute.
fn route(name: &str, traffic: &TrafficOutcome, style: Style) -> String {
    let columns = ["hop", "address", "answered", "min", "mean", "max"];
    let aligned = [Align::Right, Align::Left, Align::Right, Align::Right, Align::Right, Align::Right];
    let mut table = Table::new(columns.into_iter().zip(aligned)).indented(2);
    for hop in &traffic.hops {
        let address = if hop.answered_by.is_empty() { "*".into() } else { hop.answered_by.join(" ") };
        let answered = hop.latency_ns.map_or(0, |latency| latency.count);
        let mut row: Vec<Cell> =
            vec![hop.ttl.to_string().into(), address.into(), format!("{answered} of {}", hop.sent).into()];
        if let Some(latency) = hop.latency_ns {
            row.extend([latency.min, latency.mean, latency.max].map(|nanos| span(nanos).into()));
        }
        table.row(row);
    }
    if table.is_empty() { String::new() } else { format!("{} route\n{}", style.bold(name), table.render(style)) }
}

/// The link directions that matter: those that dropped, then the busiest.
fn links(outcome: &Outcome, style: Style) -> String {
    let directions = |link: &LinkOutcome| {
        [(link.a.clone(), link.b.clone(), link.a_to_b.clone()), (link.b.clone(), link.a.clone(), link.b_to_a.clone())]
    };
    let mut all: Vec<(String, String, DirectionOutcome)> = outcome.links.values().flat_map(directions).collect();
    all.retain(|(.., direction)| direction.packets > 0 || !direction.drops.is_empty());
    let total = all.len();
    all.sort_by_key(|(.., direction)| {
        std::cmp::Reverse((direction.drops.values().sum::<u64>() > 0, direction.utilisation))
    });
    all.truncate(DIRECTIONS);
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
    if total > all.len() {
        let more = counted((total - all.len()) as u64, "more direction", "more directions");
        let _ = writeln!(text, "{}", style.dim(&format!("{more} of links: --format json shows all")));
    }
    for (node, dropped) in &outcome.node_drops {
        let _ = writeln!(text, "dropped by {node}: {}", drops(dropped));
    }
    text
}

fn drops(drops: &IndexMap<String, u64>) -> String {
    let parts: Vec<String> =
        drops.iter().map(|(cause, n)| format!("{} {}", grouped(*n), cause.replace('_', " "))).collect();
    parts.join(", ")
}

/// The first judgements.
fn judgements(outcome: &Outcome, style: Style) -> String {
    let mut text = String::new();
    for entry in outcome.judgements.iter().take(JUDGEMENTS) {
        let at = Span::from_nanos(entry.at_ns);
        let _ = writeln!(text, "{at}  {}: {} {}", entry.who, entry.subject, entry.what);
    }
    if outcome.judgements.len() > JUDGEMENTS {
        let more = counted((outcome.judgements.len() - JUDGEMENTS) as u64, "more judgement", "more judgements");
        let _ = writeln!(text, "{}", style.dim(&format!("{more}: --format json shows all")));
    }
    text
}

fn warnings(outcome: &Outcome, style: Style) -> String {
    outcome.warnings.iter().fold(String::new(), |mut text, warning| {
        let _ = writeln!(text, "{} {warning}", style.warn("warning:"));
        text
    })
}

/// What the reader most likely wants to do next.
fn next(outcome: &Outcome, options: Options<'_>) -> String {
    let Some(file) = options.file else { return String::new() };
    let seed = options.seed.map_or_else(String::new, |seed| format!(" --seed {seed}"));
    let mut commands = Vec::new();
    let slowest = outcome
        .traffic
        .iter()
        .filter(|(_, traffic)| has_budget(traffic) && traffic.kind != TrafficKind::Route)
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

    const PLAIN: Options<'_> = Options { style: Style::Plain, file: Some("shop.ron"), out: None, seed: None };

    #[test]
    fn the_summary_fits_a_screen() {
        let text = summary(&fixture::outcome([("pages", fixture::pages())]), PLAIN);
        assert!(text.lines().count() <= 40, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100 && line == line.trim_end()), "{text}");
        insta::assert_snapshot!(text);
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
