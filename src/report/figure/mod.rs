//! Figures as SVG: what a distribution looks like, how it moved during the run, what loss does to it.

mod axis;
mod canvas;
mod stack;
mod states;

pub use canvas::DrawError;
pub use states::{depths, windows};

use crate::base::Span;
use crate::observe::{Percentile, Sample, Samples};
use crate::run::timeline::StrikeOutcome;
use axis::{Scale, Unit};
use canvas::{Axes, Curve, Landmark, Pen, Shade, Sheet};

/// Latencies of one thing.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend calls it.
    pub label: String,
    /// Completion time and latency of each sample, in nanoseconds.
    pub samples: Vec<(u64, u64)>,
    /// Its light floor, in nanoseconds.
    pub light_floor_ns: Option<u64>,
}

/// How much of a distribution to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// The share that took at most so long.
    Cumulative,
    /// The share that took longer, on a logarithmic axis: the tail.
    Tail,
}

/// The latency distributions of some series.
pub fn distribution(series: &[Series], shape: Shape, subtitle: &str) -> Result<String, DrawError> {
    let values = || series.iter().flat_map(|series| &series.samples).map(|&(_, latency)| latency as f64);
    let high = values().fold(0.0, f64::max);
    let low = values().fold(f64::INFINITY, f64::min);
    let floors: Vec<u64> = series.iter().filter_map(|series| series.light_floor_ns).collect();
    let floor = floors.first().copied().filter(|first| floors.iter().all(|floor| floor == first) && *first > 0);
    let low = floor.map_or(low, |floor| low.min(floor as f64));
    let x = if low > 0.0 && high / low > 4.0 {
        Scale::log(Unit::Latency, low, high)
    } else {
        Scale::linear(Unit::Latency, if low.is_finite() { low } else { 0.0 }, high)
    };
    let most = series.iter().map(|series| series.samples.len()).max().unwrap_or(0).max(10);
    let y = match shape {
        Shape::Cumulative => Scale::exact(Unit::Share, 0.0, 1.0),
        Shape::Tail => Scale::log(Unit::Share, 1.0 / most as f64, 1.0),
    };
    let curves = series.iter().enumerate().map(|(colour, series)| {
        let sorted = samples(series.samples.iter().copied()).sorted();
        Curve {
            label: format!("{} ({})", series.label, super::table::counted(sorted.count() as u64, "sample", "samples")),
            colour,
            pen: Pen::Solid,
            pieces: vec![staircase(sorted.as_slice(), shape, &x, &y)],
        }
    });
    let (title, y_name) = match shape {
        Shape::Cumulative => ("Latency distribution", "share that took at most this long"),
        Shape::Tail => ("Latency tail", "share that took longer"),
    };
    Sheet {
        axes: Axes {
            title: title.into(),
            subtitle: subtitle.into(),
            x_name: "latency".into(),
            y_name: y_name.into(),
            x,
            y,
        },
        curves: curves.collect(),
        shades: Vec::new(),
        landmarks: floor
            .map(|floor| Landmark { at: floor as f64, label: format!("light: {}", Span::from_nanos(floor)) })
            .into_iter()
            .collect(),
    }
    .draw()
}

fn samples(pairs: impl Iterator<Item = (u64, u64)>) -> Samples {
    let sample =
        |(time, latency)| Sample { time: crate::base::Time::from_nanos(time), latency: Span::from_nanos(latency) };
    pairs.map(sample).collect()
}

/// The steps of a distribution; those finer than the picture are left out.
fn staircase(sorted: &[Span], shape: Shape, x: &Scale, y: &Scale) -> Vec<(f64, f64)> {
    const FINEST: f64 = 1.0 / 4000.0;
    let count = sorted.len() as f64;
    let share = |below: usize| match shape {
        Shape::Cumulative => below as f64 / count,
        Shape::Tail => (count - below as f64) / count,
    };
    let mut points: Vec<(f64, f64)> = Vec::new();
    for (below, latency) in sorted.iter().enumerate() {
        let at = latency.as_nanos() as f64;
        let (before, after) = (share(below), share(below + 1));
        if let Some(&(last_x, last_y)) = points.last() {
            let last = below + 1 == sorted.len();
            let near =
                (x.place(at) - x.place(last_x)).abs() < FINEST && (y.place(after) - y.place(last_y)).abs() < FINEST;
            if near && !last {
                continue;
            }
        }
        points.push((at, before));
        if after > 0.0 {
            points.push((at, after));
        }
    }
    points
}

/// Percentiles of one series over the run, with the strikes of faults in another shade.
pub fn over_time(
    series: &Series,
    strikes: &[StrikeOutcome],
    simulated_ns: u64,
    subtitle: &str,
) -> Result<String, DrawError> {
    let sorted_by_time = {
        let mut all = series.samples.clone();
        all.sort_unstable();
        all
    };
    // Windows of a hundred samples and some, so that a p90 can be stated; of twenty, for a median, where that leaves too few
    // windows.
    let (broad, narrow) = (sorted_by_time.len() / 110, sorted_by_time.len() / 22);
    let windows = if broad >= 10 { broad } else { narrow }.clamp(1, 120) as u64;
    let width = simulated_ns.div_ceil(windows).max(1);
    let mut lines = [
        (Percentile::P50, "p50", Vec::new()),
        (Percentile::P90, "p90", Vec::new()),
        (Percentile::P99, "p99", Vec::new()),
    ];
    let mut longest = Vec::new();
    for window in sorted_by_time.chunk_by(|a, b| a.0 / width == b.0 / width) {
        let index = window[0].0 / width;
        let middle = (index * width + width / 2) as f64;
        let sorted = samples(window.iter().copied()).sorted();
        for (percentile, _, points) in &mut lines {
            points.extend(sorted.percentile(*percentile).map(|span| (index, (middle, span.as_nanos() as f64))));
        }
        longest.extend(sorted.max().map(|span| (middle, span.as_nanos() as f64)));
    }
    let y = Scale::fitting(Unit::Latency, series.samples.iter().map(|&(_, latency)| latency as f64));
    // A fault is named where it strikes first: the names of its later strikes would lie over each other.
    let mut shades: Vec<Shade> = Vec::new();
    for strike in strikes {
        let mut shade = shade(strike, simulated_ns);
        if shades.iter().any(|before| before.label == shade.label) {
            shade.label.clear();
        }
        shades.push(shade);
    }
    let mut curves: Vec<Curve> = lines
        .into_iter()
        .enumerate()
        .filter(|(_, (.., points))| !points.is_empty())
        .map(|(colour, (_, label, points))| {
            let pieces = points
                .chunk_by(|a, b| a.0 + 1 == b.0)
                .map(|piece| piece.iter().map(|&(_, point)| point).collect())
                .collect::<Vec<Vec<_>>>();
            // A piece of one point would be no line.
            let pen = if pieces.iter().any(|piece| piece.len() == 1) { Pen::Marked } else { Pen::Solid };
            Curve { label: label.into(), colour, pen, pieces }
        })
        .collect();
    curves.push(Curve { label: "slowest".into(), colour: 6, pen: Pen::Dots, pieces: vec![longest] });
    Sheet {
        axes: Axes {
            title: format!("{}: latency during the run", series.label),
            subtitle: format!(
                "{subtitle}; windows of {}; only percentiles with ten samples beyond",
                Span::from_nanos(width)
            ),
            x_name: "time since the start".into(),
            y_name: "latency".into(),
            x: Scale::exact(Unit::Elapsed, 0.0, simulated_ns as f64),
            y,
        },
        curves,
        landmarks: Vec::new(),
        shades,
    }
    .draw()
}

/// The time of a strike.
fn shade(strike: &StrikeOutcome, simulated_ns: u64) -> Shade {
    let end = strike.healed_ns.unwrap_or(simulated_ns).min(simulated_ns);
    Shade { between: (strike.struck_ns as f64, end as f64), label: strike.fault.clone() }
}

/// Useful bytes of one thing over the run.
#[derive(Clone, Debug)]
pub struct Flow {
    /// What the legend calls it.
    pub label: String,
    /// End of each interval and useful bytes in it, in nanoseconds and bytes.
    pub intervals: Vec<(u64, u64)>,
}

/// Goodput over the run, averaged over windows that leave at most 150 points.
pub fn goodput(flows: &[Flow], simulated_ns: u64, subtitle: &str) -> Result<String, DrawError> {
    let most = flows.iter().map(|flow| flow.intervals.len()).max().unwrap_or(0);
    let together = most.div_ceil(150).max(1);
    let curves: Vec<Curve> = flows
        .iter()
        .enumerate()
        .map(|(colour, flow)| {
            let mut before = 0;
            let points = flow.intervals.chunks(together).map(|window| {
                let end = window.last().map_or(before, |&(end, _)| end);
                let bytes: u64 = window.iter().map(|&(_, bytes)| bytes).sum();
                let span = end.saturating_sub(before).max(1);
                let point =
                    (i64::try_from(before).unwrap_or(0) as f64 + span as f64 / 2.0, bytes as f64 * 8e9 / span as f64);
                before = end;
                point
            });
            Curve { label: flow.label.clone(), colour, pen: Pen::Solid, pieces: vec![points.collect()] }
        })
        .collect();
    let high = curves.iter().flat_map(|curve| curve.pieces.iter().flatten()).map(|&(_, y)| y).fold(0.0, f64::max);
    Sheet {
        axes: Axes {
            title: "Goodput during the run".into(),
            subtitle: subtitle.into(),
            x_name: "time since the start".into(),
            y_name: "useful bits per second".into(),
            x: Scale::exact(Unit::Elapsed, 0.0, simulated_ns as f64),
            y: Scale::linear(Unit::Rate, 0.0, high),
        },
        curves,
        landmarks: Vec::new(),
        shades: Vec::new(),
    }
    .draw()
}

/// What is drawn against loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// A latency, in nanoseconds.
    Latency,
    /// Useful bits per second.
    Goodput,
}

/// One line against loss.
#[derive(Clone, Debug)]
pub struct LossLine {
    /// What the legend calls it.
    pub label: String,
    /// Lines of the same thing share a colour.
    pub colour: usize,
    /// Whether it is the lesser line of its colour.
    pub dashed: bool,
    /// Share of packets lost, and the measure.
    pub points: Vec<(f64, f64)>,
}

/// A measure against loss, one point for each run.
pub fn against_loss(lines: &[LossLine], measure: Measure, subtitle: &str) -> Result<String, DrawError> {
    let xs = lines.iter().flat_map(|line| &line.points).map(|&(x, _)| x);
    let ys = lines.iter().flat_map(|line| &line.points).map(|&(_, y)| y);
    let unit = if measure == Measure::Latency { Unit::Latency } else { Unit::Rate };
    let curves = lines.iter().map(|line| {
        let mut points = line.points.clone();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let pen = if line.dashed { Pen::DashedMarked } else { Pen::Marked };
        Curve { label: line.label.clone(), colour: line.colour, pen, pieces: vec![points] }
    });
    let what = if measure == Measure::Latency { "Latency" } else { "Goodput" };
    Sheet {
        axes: Axes {
            title: format!("{what} against loss"),
            subtitle: subtitle.into(),
            x_name: "packets lost on the lossiest link direction".into(),
            y_name: if measure == Measure::Latency { "latency".into() } else { "useful bits per second".into() },
            x: Scale::fitting(Unit::Share, xs),
            y: Scale::fitting(unit, ys),
        },
        curves: curves.collect(),
        landmarks: Vec::new(),
        shades: Vec::new(),
    }
    .draw()
}

#[cfg(test)]
mod tests;
