//! The fidelity report: lightlag beside measurements on a real Linux kernel, as tables and figures.
//!
//! `cargo run --release --example fidelity` measures the whole grid, which takes minutes, and writes `reports/fidelity/`. It measures
//! with the code of `tests/fidelity`, which holds the same figures against their tolerances, and says of every one that misses
//! that it does.

#![expect(clippy::print_stdout, reason = "the command says what it has written")]
#![expect(unreachable_pub, reason = "the modules of the test share their items")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the figures are small and not negative")]

#[path = "../../tests/fidelity/exchange.rs"]
mod exchange;
#[path = "../../tests/fidelity/fct.rs"]
mod fct;
#[path = "../../tests/fidelity/goodput.rs"]
mod goodput;
#[path = "../../tests/fidelity/laws.rs"]
mod laws;
#[path = "../../tests/fidelity/messages.rs"]
mod messages;
#[path = "../../tests/fidelity/pair.rs"]
mod pair;
#[path = "../../tests/fidelity/path.rs"]
mod path;
#[path = "../../tests/fidelity/rounds.rs"]
mod rounds;
#[path = "../../tests/fidelity/table.rs"]
mod table;
#[path = "../../tests/fidelity/timers.rs"]
mod timers;
#[path = "../../tests/fidelity/web.rs"]
mod web;

use lightlag::report::figure::{LossLine, Measure, against_loss};
use lightlag::report::files::{FileError, make_dir, write_whole};
use std::fmt::Write as _;
use std::path::Path;
use table::{Cell, Table};

/// One table of the report.
struct Chapter {
    title: &'static str,
    /// Name of its figure, without ending.
    file: &'static str,
    /// What is measured, and what must hold.
    words: &'static str,
    /// Beside what lightlag stands.
    beside: &'static str,
    table: Table,
    /// What its figure shows and by how much its values are multiplied to get there; none without a figure.
    figure: Option<(Measure, f64)>,
}

const GOODPUT: &str = "One bulk flow over 100 Mbit/s: application bytes from second 5 to the end, mean over 20 seeds (4 for BBR without loss, \
                       1 where nothing is random). Allowed: 10 % of the kernel's mean, or 10 % beyond the kernel's own smallest and largest run.";

fn chapters() -> Vec<Chapter> {
    let goodput = |title, file, congestion| Chapter {
        title,
        file,
        words: GOODPUT,
        beside: "Linux",
        table: goodput::table(congestion, 0.0),
        figure: Some((Measure::Goodput, 1e6)),
    };
    vec![
        goodput("Goodput of Reno", "goodput-reno", "reno"),
        goodput("Goodput of CUBIC", "goodput-cubic", "cubic"),
        goodput("Goodput of BBR", "goodput-bbr", "bbr"),
        Chapter {
            title: "Completion times",
            file: "completion",
            words: "From connect() to the last byte of an answer, CUBIC, round trip 56 ms. Allowed: mean and median 10 %, the 95th percentile 15 % \
                    and two standard errors of the kernel's sample; 1 ms where most runs lose nothing.",
            beside: "Linux",
            table: fct::table(&[10_000.0, 1_000_000.0], fct::enough),
            figure: Some((Measure::Latency, 1e6)),
        },
        Chapter {
            title: "Messages",
            file: "messages",
            words: "One-way latency of 160 B every 20 ms for 60 s over TCP, round trip 56 ms, 60 runs. Allowed: the median 0.5 ms, mean and \
                    percentiles 12 %, shares 15 %.",
            beside: "Linux",
            table: messages::table(60),
            figure: Some((Measure::Latency, 1e6)),
        },
        Chapter {
            title: "Segments per round trip",
            file: "rounds",
            words: "Data segments in each round trip of transfers without loss. Allowed: the same number (BBR 15 %).",
            beside: "Linux",
            table: rounds::table(),
            figure: None,
        },
        Chapter {
            title: "Timers",
            file: "timers",
            words: "When what is sent again: milliseconds between transmissions where certain packets are lost, round trip 56 ms. Allowed: one step \
                    of the kernel's timers, which it rounds up the more coarsely the longer they run, and 3 ms for its host.",
            beside: "Linux",
            table: timers::table(),
            figure: None,
        },
        Chapter {
            title: "Requests",
            file: "web",
            words: "Round trips in each phase of a request of curl to nginx, in the clear and under TLS. Allowed: the same whole number.",
            beside: "Linux",
            table: web::table(),
            figure: None,
        },
        Chapter {
            title: "Formulas",
            file: "formulas",
            words: "Goodput of Reno beside PFTK (Padhye et al. 1998, equation 30), MSS 1448, mean over 8 seeds. Allowed: 20 %, and never Mathis' bound \
                    (1997, table 1).",
            beside: "formula",
            table: laws::table(),
            figure: None,
        },
    ]
}

fn main() -> Result<(), FileError> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/fidelity");
    make_dir(&dir)?;
    let chapters = chapters();
    let mut text = String::from(HEAD);
    for Chapter { title, table, .. } in &chapters {
        let (median, worst) = table.errors();
        let outside = table.cells.iter().filter(|cell| !cell.ok()).count();
        let _ = writeln!(text, "| {title} | {} | {outside} | {median:.1} % | {worst:.1} % |", table.cells.len());
    }
    for chapter in &chapters {
        let _ = write!(text, "\n## {}\n{}\n\n", chapter.title, chapter.words);
        if let Some((measure, scale)) = chapter.figure {
            let svg = draw(&chapter.table, measure, scale, chapter.title);
            write_whole(&dir.join(format!("{}.svg", chapter.file)), svg.as_bytes())?;
            let _ = write!(text, "![{}, lightlag and Linux]({}.svg)\n\n", chapter.title, chapter.file);
        }
        let _ =
            write!(text, "| figure | lightlag | {} | error | allowed | |\n|---|---|---|---|---|---|\n", chapter.beside);
        chapter.table.cells.iter().for_each(|cell| text.push_str(&row(cell)));
    }
    let path = dir.join("README.md");
    write_whole(&path, text.as_bytes())?;
    println!("{}", path.display());
    Ok(())
}

const HEAD: &str = "\
# Fidelity
lightlag beside a Linux 6.18 kernel, measured over an emulated path of 100 Mbit/s with losses towards the client only and a queue of one
bandwidth-delay product (`tests/reference/`; the path is that of `tests/fidelity/path.rs`). Written by

```sh
cargo run --release --example fidelity
```

`tests/fidelity` holds the same figures against the same tolerances. Errors are in percent of the kernel's figure. A figure outside what is
allowed is marked **misses**. In the figures lightlag is drawn solid and Linux dashed, at the losses that are not zero.

| table | figures | outside | median error | worst error |
|---|---|---|---|---|
";

fn row(cell: &Cell) -> String {
    let Cell { name, lightlag, kernel, allowed, .. } = cell;
    let verdict = if cell.ok() { "" } else { "**misses**" };
    let error = cell.error();
    let error = if error.is_finite() { format!("{error:+.1} %") } else { "-".into() };
    format!("| {name} | {lightlag:.3} | {kernel:.3} | {error} | {:.3} to {:.3} | {verdict} |\n", allowed.0, allowed.1)
}

/// The points of a table along its curves, lightlag solid and the kernel dashed.
fn draw(table: &Table, measure: Measure, scale: f64, title: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in table.cells.iter().filter_map(|cell| cell.point.as_ref()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut lines = Vec::new();
    for (colour, name) in names.into_iter().enumerate() {
        let points = |value: fn(&Cell) -> f64| {
            let on = |cell: &Cell| match &cell.point {
                Some((curve, x)) if curve == name && *x > 0.0 => Some((*x, value(cell) * scale)),
                _ => None,
            };
            table.cells.iter().filter_map(on).collect::<Vec<_>>()
        };
        let line = |who: &str, dashed, points| LossLine { label: format!("{name}, {who}"), colour, dashed, points };
        lines.push(line("lightlag", false, points(|cell| cell.lightlag)));
        lines.push(line("Linux", true, points(|cell| cell.kernel)));
    }
    against_loss(&lines, measure, title).expect("points can be drawn")
}
