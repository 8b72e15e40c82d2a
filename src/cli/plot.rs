//! `plot`: results as pictures.

use super::args::{Figure, LossArgs, LossMeasure, Plot, PlotArgs, StateArgs};
use super::output::{Failure, Status, Terminal};
use crate::report::figure::{self, DrawError, Flow, LossLine, Measure, Series, Shape};
use crate::report::files::{self, Results};
use crate::run::outcome::{Outcome, Share, TrafficKind, TrafficOutcome};
use crate::scenario::suggest;
use std::path::Path;

/// Draws one figure from some results.
pub(crate) fn run(plot: &Plot) -> Result<Status, Failure> {
    match &plot.figure {
        Figure::Cdf(args) => latency(args, "cdf", |results, subtitle| {
            drawn(figure::distribution(&series(results, args)?, Shape::Cumulative, subtitle))
        }),
        Figure::Tail(args) => latency(args, "tail", |results, subtitle| {
            drawn(figure::distribution(&series(results, args)?, Shape::Tail, subtitle))
        }),
        Figure::Time(args) => latency(args, "time", |results, subtitle| time(results, args, subtitle)),
        Figure::Goodput(args) => latency(args, "goodput", |results, subtitle| goodput(results, args, subtitle)),
        Figure::Loss(args) => latency(&args.plot, "loss", |results, _| loss(results, args)),
        Figure::Cwnd(args) => state(args, "cwnd"),
        Figure::Queue(args) => state(args, "queue"),
    }
}

/// Draws a figure of traffic.
fn latency(
    args: &PlotArgs,
    name: &str,
    draw: impl FnOnce(&[Results], &str) -> Result<String, Failure>,
) -> Result<Status, Failure> {
    let results = read(args)?;
    let svg = draw(&results, &subtitle(&results))?;
    put(&svg, &args.output.clone().unwrap_or_else(|| args.results[0].join(format!("{name}.svg"))))
}

/// Writes a figure to where it was asked for.
fn put(svg: &str, path: &Path) -> Result<Status, Failure> {
    if path == Path::new("-") {
        Terminal::print(svg)?;
    } else {
        files::write_whole(path, svg.as_bytes())?;
        Terminal::print(&format!("{}\n", path.display()))?;
    }
    Ok(Status::Fine)
}

/// Draws the windows of senders or the depths of queues.
fn state(args: &StateArgs, name: &str) -> Result<Status, Failure> {
    let results = files::read_results(&args.results)?;
    let subtitle = subtitle(std::slice::from_ref(&results));
    let Some(mut series) = results.outcome.series else {
        return Err(Failure::wrong(format!(
            "`{}` holds no series: run the scenario again with `--series --out`",
            args.results.display()
        )));
    };
    let wanted = |names: &[&String]| args.at.is_empty() || names.iter().any(|name| args.at.contains(name));
    let known: Vec<String> = if name == "cwnd" {
        series.senders.iter().map(|sender| sender.node.clone()).collect()
    } else {
        series.queues.iter().flat_map(|queue| [queue.link.clone(), queue.from.clone()]).collect()
    };
    for name in &args.at {
        if !known.contains(name) {
            let advice = suggest::advice(name, "places", known.iter().map(String::as_str));
            return Err(Failure::wrong(format!("there is nothing to draw at `{name}`; {advice}")));
        }
    }
    if known.is_empty() {
        return Err(Failure::wrong("there is nothing to draw: no connection was opened, no packet sent"));
    }
    series.senders.retain(|sender| wanted(&[&sender.node]));
    series.queues.retain(|queue| wanted(&[&queue.link, &queue.from]));
    let draw = if name == "cwnd" { figure::windows } else { figure::depths };
    let svg = drawn(draw(&series, results.outcome.simulated_ns, &subtitle))?;
    put(&svg, &args.output.clone().unwrap_or_else(|| args.results.join(format!("{name}.svg"))))
}

fn drawn(svg: Result<String, DrawError>) -> Result<String, Failure> {
    svg.map_err(|error| Failure::broken(format!("cannot draw: {error}")))
}

fn read(args: &PlotArgs) -> Result<Vec<Results>, Failure> {
    let results: Vec<Results> = args.results.iter().map(|dir| files::read_results(dir)).collect::<Result<_, _>>()?;
    for name in &args.traffic {
        if !results.iter().any(|results| results.outcome.traffic.contains_key(name)) {
            let known: Vec<&str> = results[0].outcome.traffic.keys().map(String::as_str).collect();
            return Err(Failure::wrong(format!("no traffic is called `{name}`; there is {}", known.join(", "))));
        }
    }
    Ok(results)
}

fn subtitle(results: &[Results]) -> String {
    let mut names: Vec<String> = Vec::new();
    for results in results {
        let name = format!("{}, seed {}", results.outcome.scenario, results.outcome.seed);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.as_slice() {
        [first, _, _, ..] => format!("{first} and {} more", names.len() - 1),
        few => few.join("; "),
    }
}

/// The traffic that was asked for, with its place in its results and what to call it.
fn chosen<'a>(results: &'a [Results], args: &'a PlotArgs) -> impl Iterator<Item = (&'a Results, usize, String)> {
    let several = results.len() > 1;
    results.iter().flat_map(move |results| {
        let wanted = |name: &String| args.traffic.is_empty() || args.traffic.contains(name);
        let dir = results.dir.file_name().map_or_else(|| ".".into(), |name| name.to_string_lossy().into_owned());
        results
            .outcome
            .traffic
            .keys()
            .enumerate()
            .filter(move |(_, name)| wanted(name))
            .map(move |(place, name)| (results, place, if several { format!("{dir}: {name}") } else { name.clone() }))
    })
}

fn series(results: &[Results], args: &PlotArgs) -> Result<Vec<Series>, Failure> {
    let series: Vec<Series> = chosen(results, args)
        .filter(|(results, place, _)| !results.samples[*place].is_empty())
        .map(|(results, place, label)| Series {
            label,
            samples: results.samples[place].clone(),
            light_floor_ns: results.outcome.traffic[place].light_floor_ns,
        })
        .collect();
    if series.is_empty() {
        return Err(Failure::wrong("there is nothing to draw: no request, message or echo ended well"));
    }
    Ok(series)
}

fn time(results: &[Results], args: &PlotArgs, subtitle: &str) -> Result<String, Failure> {
    let series = series(results, args)?;
    let [one] = series.as_slice() else {
        let names: Vec<&str> = series.iter().map(|series| series.label.as_str()).collect();
        return Err(Failure::wrong(format!(
            "`plot time` draws one traffic of one result: choose with --traffic among {}",
            names.join(", ")
        )));
    };
    let simulated = results.iter().map(|results| results.outcome.simulated_ns).max().unwrap_or(0);
    let strikes: Vec<_> = results.iter().flat_map(|results| results.outcome.timeline.iter().cloned()).collect();
    drawn(figure::over_time(one, &strikes, simulated, subtitle))
}

fn goodput(results: &[Results], args: &PlotArgs, subtitle: &str) -> Result<String, Failure> {
    let flows: Vec<Flow> = chosen(results, args)
        .filter(|(results, place, _)| results.outcome.traffic[*place].useful_bytes > 0)
        .map(|(results, place, label)| Flow { label, intervals: results.goodput[place].clone() })
        .collect();
    if flows.is_empty() {
        return Err(Failure::wrong("there is nothing to draw: no useful byte arrived"));
    }
    let simulated = results.iter().map(|results| results.outcome.simulated_ns).max().unwrap_or(0);
    drawn(figure::goodput(&flows, simulated, subtitle))
}

/// The largest share of packets that a link direction lost to its loss model.
fn loss_share(outcome: &Outcome) -> Share {
    let directions = outcome.links.values().flat_map(|link| [&link.a_to_b, &link.b_to_a]);
    let shares = directions
        .filter_map(|direction| Share::of(direction.drops.get("loss").copied().unwrap_or(0), direction.packets));
    shares.max().unwrap_or_default()
}

fn loss(results: &[Results], args: &LossArgs) -> Result<String, Failure> {
    let wanted = |name: &str| args.plot.traffic.is_empty() || args.plot.traffic.iter().any(|traffic| traffic == name);
    let mut names: Vec<&str> = Vec::new();
    for name in results.iter().flat_map(|results| results.outcome.traffic.keys()) {
        if wanted(name) && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut lines = Vec::new();
    for (colour, name) in names.into_iter().enumerate() {
        let mut line = |label: String, dashed, value: fn(&TrafficOutcome) -> Option<u64>| {
            let point = |results: &Results| {
                let value = results.outcome.traffic.get(name).and_then(value)?;
                Some((loss_share(&results.outcome).get(), value as f64))
            };
            let points: Vec<_> = results.iter().filter_map(point).collect();
            if !points.is_empty() {
                lines.push(LossLine { label, colour, dashed, points });
            }
        };
        match args.measure {
            LossMeasure::Latency => {
                line(format!("{name} p50"), true, |traffic| traffic.latency_ns?.p50);
                line(format!("{name} p99"), false, |traffic| traffic.latency_ns?.p99);
            }
            LossMeasure::Goodput => line(name.to_owned(), false, |traffic| {
                let carries = !matches!(traffic.kind, TrafficKind::Echoes | TrafficKind::Route);
                carries.then_some(traffic.goodput_bps)
            }),
        }
    }
    if lines.is_empty() {
        return Err(Failure::wrong("there is nothing to draw: too few samples for a median, or no such traffic"));
    }
    let measure = match args.measure {
        LossMeasure::Latency => Measure::Latency,
        LossMeasure::Goodput => Measure::Goodput,
    };
    let runs = crate::report::table::counted(results.len() as u64, "run", "runs");
    drawn(figure::against_loss(&lines, measure, &format!("{}; {runs}", results[0].outcome.scenario)))
}
