//! One bulk flow: application bytes from second 5 to the end.

use super::path;
use super::table::{Table, number, rows, within};
use rayon::prelude::*;

const SEEDS: u64 = 20;

/// Mean over the seeds; where nothing is random, one says it all.
fn mean(congestion: &str, rtt_ms: u64, loss: f64) -> f64 {
    let seeds = match congestion {
        "bbr" if loss == 0.0 => 4,
        _ if loss == 0.0 => 1,
        _ => SEEDS,
    };
    let sum: f64 = (0..seeds).into_par_iter().map(|seed| path::goodput(congestion, rtt_ms, loss, seed)).sum();
    sum / seeds as f64
}

/// Every cell of a controller that loses at least so much.
pub fn table(congestion: &str, least_loss: f64) -> Table {
    let mut table = Table::default();
    for row in rows("linux_goodput") {
        let rtt = number(&row, 1) as u64;
        let (loss, kernel) = (number(&row, 2), number(&row, 4));
        if &row[0] != congestion || loss < least_loss {
            continue;
        }
        let (least, most) = (number(&row, 5), number(&row, 6));
        let ten = within(kernel, 0.10);
        let allowed = (ten.0.min(least * 0.9), ten.1.max(most * 1.1));
        let name = format!("{congestion}, rtt {rtt} ms, loss {loss}: Mbit/s");
        table.compare(&name, mean(congestion, rtt, loss), kernel, allowed);
        table.on(&format!("{rtt} ms"), loss);
    }
    table
}

#[cfg(test)]
fn judge(congestion: &str, least_loss: f64) {
    table(congestion, least_loss).judge(&format!("goodput of {congestion}"));
}

#[test]
#[ignore = "minutes without optimisation"]
fn reno() {
    judge("reno", 0.0);
}

#[test]
#[ignore = "minutes without optimisation"]
fn cubic() {
    judge("cubic", 0.0);
}

#[test]
#[ignore = "minutes without optimisation"]
fn bbr() {
    judge("bbr", 0.0);
}

/// Where windows are small, and so the simulation short.
#[test]
fn lossy_paths() {
    judge("reno", 0.01);
    judge("cubic", 0.01);
}
