//! From connect() to the last byte of an answer.

use super::exchange::{exchange, summary};
use super::pair::Pair;
use super::table::{Table, number, rows, within};
use lightlag::base::Span;
use rayon::prelude::*;

fn times(size: u64, loss: f64, runs: u64) -> Vec<f64> {
    let one = |seed| {
        let path = Pair::random(loss, seed);
        exchange("cubic", Span::from_millis(56), size, Span::from_secs(90), path).finished
    };
    (0..runs).into_par_iter().map(one).collect()
}

/// Mean and median within 10 %, the 95th percentile within 15 %, and 1 ms where most runs lose nothing. The kernel's percentile is of
/// so many runs: the share of runs below it is known to two standard errors only.
pub fn table(sizes: &[f64], runs: impl Fn(f64) -> u64) -> Table {
    let mut table = Table::default();
    for row in rows("linux_fct") {
        let (size, loss, measured) = (number(&row, 0), number(&row, 1), number(&row, 2));
        if !sizes.contains(&size) {
            continue;
        }
        let mut sample = times(size as u64, loss, if loss > 0.0 { runs(size) } else { 1 });
        let error = 2.0 * (0.95_f64 * 0.05 / measured).sqrt();
        let (mean, quantiles) = summary(&mut sample, &[0.5, 0.95 - error, 0.95, 0.95 + error]);
        let name = |what: &str| format!("answer of {size} B, loss {loss}: {what} ms");
        let kernel = number(&row, 3);
        table.compare(
            &name("mean"),
            mean,
            kernel,
            if loss > 0.0 { within(kernel, 0.10) } else { (kernel - 1.0, kernel + 1.0) },
        );
        table.on(&format!("{size} B: mean"), loss);
        let kernel = number(&row, 5);
        let calm = size < 100_000.0 || loss == 0.0;
        table.compare(
            &name("p50"),
            quantiles[0],
            kernel,
            if calm { (kernel - 1.0, kernel + 1.0) } else { within(kernel, 0.10) },
        );
        let kernel = number(&row, 7);
        let (least, most) = within(kernel, 0.15);
        let slack = (quantiles[2] - quantiles[1], quantiles[3] - quantiles[2]);
        table.compare(&name("p95"), quantiles[2], kernel, (least - slack.1, most + slack.1.max(slack.0)));
        table.on(&format!("{size} B: p95"), loss);
    }
    table
}

/// Runs of an answer of this size that make the percentiles sure.
pub fn enough(size: f64) -> u64 {
    if size < 100_000.0 { 8_000 } else { 1_000 }
}

#[test]
#[ignore = "minutes without optimisation"]
fn completion_times() {
    table(&[10_000.0, 1_000_000.0], enough).judge("completion times");
}

#[test]
fn completion_times_of_short_answers() {
    table(&[10_000.0], |_| 2_000).judge("completion times");
}
