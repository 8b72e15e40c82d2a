//! One bulk flow: application bytes from second 5 to the end.

use super::path;
use super::table::{Table, number, rows, within};
use rayon::prelude::*;

const SEEDS: u64 = 20;

/// Mean over the seeds; where nothing is random, one says it all.
fn mean(congestion: &str, rtt_ms: u64, loss: f64) -> f64 {
    let seeds = if loss == 0.0 && congestion != "bbr" { 1 } else { SEEDS };
    let sum: f64 = (0..seeds).into_par_iter().map(|seed| path::goodput(congestion, rtt_ms, loss, seed)).sum();
    sum / seeds as f64
}

fn judge(congestion: &str) {
    let mut table = Table::default();
    for row in rows("linux_goodput") {
        let rtt = number(&row, 1) as u64;
        if &row[0] != congestion {
            continue;
        }
        let (loss, kernel) = (number(&row, 2), number(&row, 4));
        let (least, most) = (number(&row, 5), number(&row, 6));
        let ten = within(kernel, 0.10);
        let allowed = (ten.0.min(least * 0.9), ten.1.max(most * 1.1));
        let name = format!("{congestion}, rtt {rtt} ms, loss {loss}: Mbit/s");
        table.compare(&name, mean(congestion, rtt, loss), kernel, allowed);
    }
    table.judge(&format!("goodput of {congestion}"));
}

#[test]
#[ignore = "minutes without optimisation"]
fn reno() {
    judge("reno");
}

#[test]
#[ignore = "minutes without optimisation"]
fn cubic() {
    judge("cubic");
}

#[test]
#[ignore = "minutes without optimisation"]
fn bbr() {
    judge("bbr");
}
