//! `plot`: results as pictures.

use super::args::{Figure, LossArgs, LossMeasure, Plot, PlotArgs};
use super::output::{Failure, Status, Terminal};
use crate::report::figure::{self, DrawError, Flow, LossLine, Measure, Series, Shape};
use crate::report::files::{self, Results};
use crate::run::outcome::{Outcome, Share, TrafficKind, TrafficOutcome};
use std::path::Path;

/// Draws one figure from some results.
pub(crate) fn run(plot: &Plot) -> Result<Status, Failure> {
    let (name, args) = match &plot.figure {
        Figure::Cdf(args) => ("cdf", args),
        Figure::Tail(args) => ("tail", args),
        Figure::Time(args) => ("time", args),
        Figure::Goodput(args) => ("goodput", args),
        Figure::Loss(args) => ("loss", &args.plot),
    };
    let results = read(args)?;
    let subtitle = subtitle(&results);
    let svg = match &plot.figure {
        Figure::Cdf(args) => drawn(figure::distribution(&series(&results, args)?, Shape::Cumulative, &subtitle)),
        Figure::Tail(args) => drawn(figure::distribution(&series(&results, args)?, Shape::Tail, &subtitle)),
        Figure::Time(args) => time(&results, args, &subtitle),
        Figure::Goodput(args) => goodput(&results, args, &subtitle),
        Figure::Loss(args) => loss(&results, args),
    }?;
    let path = args.output.clone().unwrap_or_else(|| args.results[0].join(format!("{name}.svg")));
    if path == Path::new("-") {
        Terminal::print(&svg)?;
    } else {
        files::write_whole(&path, svg.as_bytes())?;
        Terminal::print(&format!("{}\n", path.display()))?;
    }
    Ok(Status::Fine)
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
    drawn(figure::over_time(one, simulated, subtitle))
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
