//! Where overload outlives its cause: load against retries, each cell a run of its own.
//!
//! A server does 100 requests a second. Clients ask at some share of that and try again so many times when a try takes longer than a
//! second. For one second a crowd asks 250 times more. Half a minute later the crowd is long gone: is the server well again?
//! It is not where load x (1 + retries) is more than it can do: then the tries that fail are enough to make tries fail.
//!
//! `cargo run --release --example phase_map > reports/phase-map.svg`

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use lightlag::run::Simulation;
use lightlag::run::outcome::Performance;
use lightlag::scenario::build::lay_out;
use lightlag::scenario::parse;
use lightlag::trace::Mask;
use std::fmt::Write as _;

/// Requests a second that the server can do: five workers, 50 ms each.
const CAPACITY: u32 = 100;

/// Share of the requests of the last seconds that were answered in time, long after the crowd has gone.
#[must_use]
pub(crate) fn served_in_the_end(load: u32, retries: u32) -> f64 {
    let retry =
        if retries == 0 { String::new() } else { format!("retry: (attempts: {}, backoff: \"10ms\"),", retries + 1) };
    let source = format!(
        r#"Scenario(run_for: "45s",
            nodes: {{ "clients": Host(), "crowd": Host(), "lan": Router(), "server": Server(workers: 5, service: "50ms") }},
            links: [(between: ("clients", "lan"), delay: "1ms"), (between: ("crowd", "lan"), delay: "1ms"),
                (between: ("server", "lan"), delay: "1ms")],
            traffic: {{
                "users": Http(from: "clients", to: "http://server/", arrivals: Poisson("{load}/s"), connection: Pool(10000),
                    timeout: "30s", try_timeout: "1s", {retry}),
                "crowd": Http(from: "crowd", to: "http://server/", arrivals: Poisson("250/s"), start: "3s", until: "4s",
                    connection: Fresh, timeout: "1s"),
            }})"#
    );
    let (plan, _) = parse(&source, "phase-map").unwrap_or_else(|errors| panic!("{errors:#?}"));
    let network = lay_out(&plan).expect("a handful of nodes has addresses");
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    let (_, traffic) = simulation.outcome(Performance::default(), Vec::new());
    let users = traffic.iter().find(|traffic| traffic.plan.name == "users").expect("it is in the scenario");
    // Requests that are not answered within a second in a healthy system are as good as lost.
    let late = lightlag::base::Time::ZERO + lightlag::base::Span::from_secs(35);
    let end = late + lightlag::base::Span::from_secs(5);
    let part = users.within(late, end);
    let quick = part.samples.as_slice().iter().filter(|sample| sample.latency.as_millis() < 1_000).count();
    let asked = f64::from(load) * 5.0;
    (quick as f64 / asked).min(1.0)
}

/// The map as a figure: a column for each load, a row for each number of retries; dark where overload persists.
fn figure(loads: &[u32], retries: &[u32]) -> String {
    const CELL: u32 = 44;
    const LEFT: u32 = 70;
    const TOP: u32 = 60;
    let (columns, rows) = (u32::try_from(loads.len()).unwrap_or(0), u32::try_from(retries.len()).unwrap_or(0));
    let (width, height) = (LEFT + CELL * columns + 20, TOP + CELL * rows + 60);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">Overload that outlives its cause</text>\n\
         <text x=\"{LEFT}\" y=\"42\" fill=\"#555\">share answered in time, half a minute after the crowd has gone; outlined: load x (1 + retries) &gt; capacity</text>\n"
    );
    for (row, &retry) in (0..).zip(retries) {
        // Most retries on top, as axes grow.
        let y = TOP + CELL * (rows - 1 - row);
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{retry}</text>", LEFT - 10, y + CELL / 2 + 4);
        for (column, &load) in (0..).zip(loads) {
            let x = LEFT + CELL * column;
            let served = served_in_the_end(load, retry);
            // From blue, all served, to red, none.
            let fill = if served >= 0.9 {
                "#9ecae1"
            } else if served >= 0.5 {
                "#fdd0a2"
            } else {
                "#de2d26"
            };
            let over = load * (1 + retry) > CAPACITY;
            let (inset, side) = (2, CELL - 4);
            let line = if over { "stroke=\"black\" stroke-width=\"2\"" } else { "stroke=\"none\"" };
            let _ = writeln!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{side}\" height=\"{side}\" fill=\"{fill}\" {line}/>\n\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{:.0}%</text>",
                x + inset,
                y + inset,
                x + CELL / 2,
                y + CELL / 2 + 4,
                served * 100.0
            );
        }
    }
    let bottom = TOP + CELL * rows;
    for (column, &load) in (0..).zip(loads) {
        let x = LEFT + CELL * column + CELL / 2;
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{load}%</text>", bottom + 18);
    }
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">load, of what the server can do</text>", bottom + 42);
    let middle = TOP + CELL * rows / 2;
    let _ = writeln!(
        svg,
        "<text x=\"20\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 20 {middle})\">retries</text>\n</svg>"
    );
    svg
}

/// Prints the figure.
#[cfg_attr(test, expect(dead_code, reason = "the test reads single cells"))]
pub(crate) fn main() {
    print!("{}", figure(&[10, 20, 30, 40, 50, 60, 70, 80, 90], &[0, 1, 2, 3, 4]));
}
