//! lightlag beside measurements on a real Linux 6.18 kernel, over the path that they were made on.
//!
//! A plain `cargo test` judges a quick part of the grid; `cargo test --release --test fidelity -- --include-ignored --nocapture` all of it.

mod path;

#[test]
fn explore() {
    let seeds: u64 = std::env::args().nth(1).and_then(|_| None).unwrap_or(3);
    for cc in ["reno", "cubic"] {
        for rtt in [10u64, 56, 200] {
            for loss in [0.0, 0.001, 0.01, 0.05] {
                let mean: f64 = (0..seeds).map(|seed| path::goodput(cc, rtt, loss, seed)).sum::<f64>() / seeds as f64;
                println!("{cc} {rtt} {loss} {mean:.3}");
            }
        }
    }
}
