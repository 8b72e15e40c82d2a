//! Windows of senders and depths of queues over the run.

use super::axis::{Scale, Unit};
use super::canvas::{Curve, DrawError, Pen, Sheet};
use crate::run::series::{QueueSeries, SenderSeries, SeriesOutcome};

/// Most things drawn in one picture: as many as there are colours.
const MOST: usize = 6;

/// Most windows of a queue's curve.
const WINDOWS: usize = 250;

/// Points in time and their values.
type Points = Vec<(f64, f64)>;

/// Something to draw: its peak decides whether it is.
struct Candidate {
    label: String,
    peak: u64,
    /// The curve that matters, then those that help to read it when nothing else is drawn.
    curves: Vec<(&'static str, Pen, Vec<Points>)>,
}

/// The congestion windows of senders; for a single sender also its slow-start threshold and what is in flight. Of more than six,
/// and of those that never had a tenth of the largest in flight, only the larger are drawn; the subtitle says so.
pub fn windows(series: &SeriesOutcome, simulated_ns: u64, subtitle: &str) -> Result<String, DrawError> {
    let candidates = series.senders.iter().map(|sender| sender_curves(sender, simulated_ns)).collect();
    draw("Congestion window", "bytes", candidates, simulated_ns, subtitle)
}

/// The largest depth of queues in at most 250 windows of the run; for a single queue also the mean. Which are drawn is chosen as for
/// [`windows`].
pub fn depths(series: &SeriesOutcome, simulated_ns: u64, subtitle: &str) -> Result<String, DrawError> {
    let candidates = series.queues.iter().map(|queue| queue_curves(queue, series.every_ns, simulated_ns)).collect();
    draw("Queue depth", "bytes waiting or being sent, most at once", candidates, simulated_ns, subtitle)
}

fn sender_curves(sender: &SenderSeries, simulated_ns: u64) -> Candidate {
    let column = |values: &[u64]| {
        let rows = sender.time_ns.iter().copied().zip(values.iter().map(|&value| Some(value)));
        steps(rows, simulated_ns)
    };
    let threshold = steps(sender.time_ns.iter().copied().zip(sender.ssthresh_bytes.iter().copied()), simulated_ns);
    Candidate {
        label: format!("{} > {} ({})", sender.node, sender.peer, sender.local.rsplit(':').next().unwrap_or_default()),
        peak: sender.in_flight_bytes.iter().copied().max().unwrap_or(0),
        curves: vec![
            ("cwnd", Pen::Solid, column(&sender.cwnd_bytes)),
            ("ssthresh", Pen::Dashed, threshold),
            ("in flight", Pen::Solid, column(&sender.in_flight_bytes)),
        ],
    }
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
    candidates.truncate(MOST);
    let drawn = candidates.len();
    let alone = drawn == 1;
    let mut curves = Vec::new();
    for (colour, candidate) in candidates.into_iter().enumerate() {
        let kept = if alone { candidate.curves.len() } else { 1 };
        for (place, (what, pen, pieces)) in candidate.curves.into_iter().take(kept).enumerate() {
            let (label, colour) =
                if alone { (format!("{}: {what}", candidate.label), place) } else { (candidate.label.clone(), colour) };
            if !pieces.is_empty() {
                curves.push(Curve { label, colour, pen, pieces });
            }
        }
    }
    // What matters lies on top.
    curves.reverse();
    let high = curves.iter().flat_map(|curve| curve.pieces.iter().flatten()).map(|&(_, y)| y).fold(0.0, f64::max);
    let shown = if drawn < all { format!("; the largest {drawn} of {all}") } else { String::new() };
    Sheet {
        title: format!("{title} during the run"),
        subtitle: format!("{subtitle}{shown}"),
        x_name: "time since the start".into(),
        y_name: y_name.into(),
        x: Scale::exact(Unit::Elapsed, 0.0, simulated_ns as f64),
        y: Scale::linear(Unit::Bytes, 0.0, high),
        curves,
        landmarks: Vec::new(),
        shades: Vec::new(),
    }
    .draw()
}
