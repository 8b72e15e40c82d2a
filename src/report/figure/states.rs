//! Windows of senders and depths of queues over the run.

use super::axis::{Scale, Unit};
use super::canvas::{Axes, Curve, DrawError, Pen, Sheet};
use super::stack::{Plot, Stack};
use crate::run::series::{QueueSeries, SenderSeries, SeriesOutcome};
use std::collections::BTreeMap;

/// Most things drawn in one picture.
const MOST: usize = 6;

/// Most windows of a queue's curve.
const WINDOWS: usize = 250;

/// Points in time and their values.
type Points = Vec<(f64, f64)>;

/// Something to draw: its peak decides whether it is.
struct Candidate {
    label: String,
    /// The nodes that it is between.
    between: String,
    peak: u64,
    /// The curve that matters, then those that help to read it.
    curves: Vec<(&'static str, Pen, Vec<Points>)>,
}

/// The congestion windows of senders with their slow-start thresholds and what is in flight, each in a plot of its own. Of more than six,
/// and of those that never had a tenth of the largest in flight, only the larger are drawn; the subtitle says so.
pub fn windows(series: &SeriesOutcome, simulated_ns: u64, subtitle: &str) -> Result<String, DrawError> {
    let candidates = series.senders.iter().map(|sender| sender_curves(sender, simulated_ns)).collect();
    draw("Congestion window", "bytes", candidates, simulated_ns, subtitle)
}

/// The largest depth of queues in at most 250 windows of the run, and the mean. Which are drawn is chosen as for [`windows`].
pub fn depths(series: &SeriesOutcome, simulated_ns: u64, subtitle: &str) -> Result<String, DrawError> {
    let candidates = series.queues.iter().map(|queue| queue_curves(queue, series.every_ns, simulated_ns)).collect();
    draw("Queue depth", "bytes waiting or being sent", candidates, simulated_ns, subtitle)
}

fn sender_curves(sender: &SenderSeries, simulated_ns: u64) -> Candidate {
    let column = |values: &[u64]| {
        let rows = sender.time_ns.iter().copied().zip(values.iter().map(|&value| Some(value)));
        steps(rows, simulated_ns)
    };
    let threshold = steps(sender.time_ns.iter().copied().zip(sender.ssthresh_bytes.iter().copied()), simulated_ns);
    Candidate {
        label: format!("{}:{} > {}:{}", sender.node, port(&sender.local), sender.peer, port(&sender.remote)),
        between: format!("{} > {}", sender.node, sender.peer),
        peak: sender.in_flight_bytes.iter().copied().max().unwrap_or(0),
        curves: vec![
            ("cwnd", Pen::Solid, column(&sender.cwnd_bytes)),
            ("ssthresh", Pen::Dashed, threshold),
            ("in flight", Pen::Solid, column(&sender.in_flight_bytes)),
        ],
    }
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}

fn queue_curves(queue: &QueueSeries, every_ns: u64, simulated_ns: u64) -> Candidate {
    // Fewer windows than intervals: what rises and falls in every interval would be a block of colour.
    let together = queue.max_bytes.len().div_ceil(WINDOWS).max(1);
    let column = |values: &[u64], of: fn(&[u64]) -> u64| {
        let starts = (0u64..).map(|window| window * together as u64 * every_ns);
        steps(starts.zip(values.chunks(together).map(|window| Some(of(window)))), simulated_ns)
    };
    Candidate {
        label: format!("{} > {}", queue.from, queue.to),
        between: String::new(),
        peak: queue.max_bytes.iter().copied().max().unwrap_or(0),
        curves: vec![
            ("largest", Pen::Solid, column(&queue.max_bytes, |window| window.iter().copied().max().unwrap_or(0))),
            ("mean", Pen::Dashed, column(&queue.mean_bytes, |window| window.iter().sum::<u64>() / window.len() as u64)),
        ],
    }
}

/// A value holds until the next; where there is none the line is broken. Steps finer than the picture are drawn as the lowest and
/// the highest of their column.
fn steps(rows: impl Iterator<Item = (u64, Option<u64>)>, simulated_ns: u64) -> Vec<Points> {
    const COLUMNS: u64 = 900;
    let column = |time: u64| time.saturating_mul(COLUMNS) / simulated_ns.max(1);
    let mut pieces: Vec<Points> = vec![Vec::new()];
    // Time, lowest, highest and last value of the column that is being gathered.
    let mut held: Option<(u64, u64, u64, u64)> = None;
    let flush = |piece: &mut Points, held: (u64, u64, u64, u64)| {
        let (time, low, high, last) = held;
        let at = time as f64;
        if let Some(&(_, before)) = piece.last() {
            piece.push((at, before));
        }
        if low < high {
            piece.push((at, low as f64));
            piece.push((at, high as f64));
        }
        piece.push((at, last as f64));
    };
    for (time, value) in rows {
        let Some(value) = value else {
            if let (Some(held), Some(piece)) = (held.take(), pieces.last_mut()) {
                flush(piece, held);
                pieces.push(Vec::new());
            }
            continue;
        };
        held = match held {
            Some((at, low, high, _)) if column(at) == column(time) => {
                Some((at, low.min(value), high.max(value), value))
            }
            other => {
                if let (Some(done), Some(piece)) = (other, pieces.last_mut()) {
                    flush(piece, done);
                }
                Some((time, value, value, value))
            }
        };
    }
    if let (Some(held), Some(piece)) = (held, pieces.last_mut()) {
        flush(piece, held);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn draw(
    title: &str,
    y_name: &str,
    mut candidates: Vec<Candidate>,
    simulated_ns: u64,
    subtitle: &str,
) -> Result<String, DrawError> {
    let all = candidates.len();
    let largest = candidates.iter().map(|candidate| candidate.peak).max().unwrap_or(0);
    candidates.retain(|candidate| candidate.peak.saturating_mul(10) >= largest);
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.peak));
    let candidates = mixed(candidates);
    let drawn = candidates.len();
    let plots: Vec<Plot> = candidates.into_iter().map(plot).collect();
    let points = plots.iter().flat_map(|plot| &plot.curves).flat_map(|curve| curve.pieces.iter().flatten());
    let high = points.map(|&(_, y)| y).fold(0.0, f64::max);
    let shown = if drawn < all { format!("; the largest {drawn} of {all}") } else { String::new() };
    let axes = Axes {
        title: format!("{title} during the run"),
        subtitle: format!("{subtitle}{shown}"),
        x_name: "time since the start".into(),
        y_name: y_name.into(),
        x: Scale::exact(Unit::Elapsed, 0.0, simulated_ns as f64),
        y: Scale::linear(Unit::Bytes, 0.0, high),
    };
    if let [plot] = plots.as_slice() {
        let name = |curve: &Curve| Curve { label: format!("{}: {}", plot.label, curve.label), ..curve.clone() };
        let curves = plot.curves.iter().map(name).collect();
        return Sheet { axes, curves, landmarks: Vec::new(), shades: Vec::new() }.draw();
    }
    let legend = plots.iter().map(|plot| &plot.curves).max_by_key(|curves| curves.len());
    let legend = legend.map_or_else(Vec::new, |curves| curves.iter().rev().cloned().collect());
    Stack { axes, legend, plots }.draw()
}

/// The first of the candidates; of equals those that differ most: one between each two nodes before a second.
fn mixed(sorted: Vec<Candidate>) -> Vec<Candidate> {
    let mut ranked: Vec<(usize, Candidate)> = Vec::with_capacity(sorted.len());
    let mut seen: BTreeMap<(u64, String), usize> = BTreeMap::new();
    for candidate in sorted {
        let before = seen.entry((candidate.peak, candidate.between.clone())).or_default();
        ranked.push((*before, candidate));
        *before += 1;
    }
    ranked.sort_by_key(|(before, candidate)| (std::cmp::Reverse(candidate.peak), *before));
    ranked.into_iter().take(MOST).map(|(_, candidate)| candidate).collect()
}

/// What matters lies on top.
fn plot(candidate: Candidate) -> Plot {
    let curves = candidate.curves.into_iter().enumerate().filter(|(_, (.., pieces))| !pieces.is_empty());
    let mut curves: Vec<Curve> =
        curves.map(|(colour, (what, pen, pieces))| Curve { label: what.to_owned(), colour, pen, pieces }).collect();
    curves.reverse();
    Plot { label: candidate.label, curves }
}
