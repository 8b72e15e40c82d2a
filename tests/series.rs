//! Windows of senders and depths of queues over time: they agree with what the run counts otherwise, and change nothing.

use lightlag::run::Outcome;
use snapbox::cmd::Command;
use std::path::Path;

fn lightlag(words: &[&str]) -> snapbox::cmd::OutputAssert {
    Command::new(env!("CARGO_BIN_EXE_lightlag")).args(words).assert()
}

fn run(words: &[&str]) -> Outcome {
    let words = [&["run", "--quiet", "--format", "json", "scenarios/bulk-loss.ron"], words].concat();
    serde_json::from_slice(&lightlag(&words).success().get_output().stdout).unwrap()
}

#[test]
fn what_is_seen_over_time_is_what_the_run_counts() {
    let every = 20_000_000;
    let outcome = run(&["--series=20ms"]);
    let series = outcome.series.as_ref().unwrap();
    assert_eq!(series.every_ns, every);
    for queue in &series.queues {
        let link = &outcome.links[&queue.link];
        let direction = if queue.from == link.a { &link.a_to_b } else { &link.b_to_a };
        assert_eq!(queue.max_bytes.iter().max(), Some(&direction.queue.max_bytes), "{}", queue.from);
        // The integral over all intervals is the link's own; each mean is rounded down, and so is the link's.
        let rows = queue.mean_bytes.len() as u64;
        assert_eq!(rows, outcome.simulated_ns.div_ceil(every));
        let mean = queue.mean_bytes.iter().sum::<u64>() / rows;
        assert!(mean.abs_diff(direction.queue.mean_bytes) <= 1, "{mean} {}", direction.queue.mean_bytes);
        assert!(queue.max_packets.iter().zip(&queue.max_bytes).all(|(packets, bytes)| packets * 1_500 >= *bytes));
    }
    let again: u64 = series.senders.iter().filter_map(|sender| sender.retransmitted.last()).sum();
    assert_eq!(again, outcome.packets.retransmitted);
    let sender = series.senders.iter().find(|sender| sender.node == "server").unwrap();
    // No less than the two times 28 ms of the line; the retransmission timeout no less than that and 200 ms (Linux). Acknowledgments
    // may be delayed by 40 ms, and what waits at the line adds a little.
    assert!(sender.srtt_ns.iter().skip(5).all(|&srtt| (56_000_000..100_000_000).contains(&srtt)));
    assert!(sender.rto_ns.iter().skip(5).all(|&rto| (256_000_000..600_000_000).contains(&rto)));
    // CUBIC reduces to seven tenths: a threshold lies below every window before it.
    let largest = sender.cwnd_bytes.iter().max().unwrap();
    assert!(sender.ssthresh_bytes.iter().flatten().all(|threshold| threshold * 10 <= largest * 7 + 14_480));
    assert!(sender.pacing_bps.iter().all(Option::is_none), "CUBIC is not paced");
    // At most one row an interval.
    assert!(sender.time_ns.windows(2).all(|pair| pair[0].div_ceil(every) < pair[1].div_ceil(every)));
}

#[test]
fn series_are_there_when_asked_for_and_change_nothing() {
    let mut with = run(&["--series"]);
    let without = run(&[]);
    assert_eq!(with.series.take().unwrap().every_ns, 10_000_000);
    assert!(without.series.is_none());
    assert_eq!(with.without_performance(), without.without_performance());
}

#[test]
fn an_interval_must_be_one() {
    let wrong = |every: &str| {
        let output = lightlag(&["run", "scenarios/bulk-loss.ron", every]).code(2);
        String::from_utf8(output.get_output().stderr.clone()).unwrap()
    };
    assert!(wrong("--series=0ms").contains("an interval cannot be zero"));
    assert!(wrong("--series=10").contains("10ms"), "{}", wrong("--series=10"));
}

#[test]
fn both_are_drawn_and_misspelt_places_understood() {
    let dir = std::env::temp_dir().join(format!("lightlag-series-{}", std::process::id()));
    let path = dir.to_str().unwrap();
    run(&["--series", "--out", path]);
    for figure in ["cwnd", "queue"] {
        lightlag(&["plot", figure, path]).success().stdout_eq(format!("{path}/{figure}.svg\n"));
    }
    let wrong = lightlag(&["plot", "cwnd", path, "--at", "sever"]).code(2);
    wrong.stderr_eq("error: there is nothing to draw at `sever`; did you mean `server`?\n");
    assert!(dir.join("senders.csv").exists() && dir.join("queues.csv").exists());
    run(&["--out", path]);
    assert!(!Path::new(path).join("senders.csv").exists(), "tables of an earlier run are taken away");
    let none = lightlag(&["plot", "queue", path]).code(2);
    none.stderr_eq("error: `[..]` holds no series: run the scenario again with `--series --out`\n");
    std::fs::remove_dir_all(&dir).unwrap();
}
