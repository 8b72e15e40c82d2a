//! From records to an outcome, to files, to figures, by the library and by the command.

#![expect(clippy::disallowed_methods, reason = "tests read and write files")]

use lightlag::base::{Digest, Span, Time};
use lightlag::link::Counters;
use lightlag::observe::{Kind, Metrics, Plan, Traffic};
use lightlag::report::Style;
use lightlag::report::files::{read_results, write_results};
use lightlag::report::text::{Options, summary};
use lightlag::run::outcome::Performance;
use lightlag::run::{Ended, LinkCounters, Outcome, summarise};
use lightlag::trace::{Arrival, Cause, Message, MessageSent, Record};
use snapbox::cmd::Command;
use std::fs;
use std::path::{Path, PathBuf};

/// Messages every 20 ms over 28 ms; every `lose`th is lost (over TCP: late).
fn messages(lose: u64, reliable: bool) -> Vec<Record> {
    let mut records = Vec::new();
    for number in 0..2_500 {
        let written = Time::from_nanos(number * 20_000_000);
        records.push(Record::MessageSent(MessageSent { traffic: 0, number, time: written }));
        let lost = number % lose == 0;
        if lost && !reliable {
            continue;
        }
        let sent = written + if lost { Span::from_millis(76) } else { Span::ZERO };
        let arrived = sent + Span::from_millis(28);
        let arrival = Arrival {
            first_sent: written,
            sent,
            arrived,
            released: arrived,
            serialisation: Span::from_micros(15),
            queueing: Span::ZERO,
            propagation: Span::from_micros(27_985),
        };
        records.push(Record::Message(Message { traffic: 0, number, flow: 1, written, arrival, bytes: 160 }));
    }
    records
}

fn traffic(names: [&str; 2], lose: u64) -> Vec<Traffic> {
    let floor = Some(Span::from_micros(27_850));
    names
        .iter()
        .flat_map(|name| {
            let plan = Plan {
                name: (*name).into(),
                kind: Kind::Messages,
                light_floor: floor,
                measure_from: Time::ZERO,
                tries_again: false,
                pays: false,
                sessions: false,
                called: false,
            };
            let mut metrics = Metrics::new([plan]);
            messages(lose, *name == "tcp").iter().for_each(|record| metrics.record(record));
            metrics.finish()
        })
        .collect()
}

fn outcome(traffic: &[Traffic], lose: u64) -> Outcome {
    let mut drops = [0; Cause::ALL.len()];
    drops[1] = 2_500 / lose;
    let a_to_b = Counters {
        sent: 2_500,
        sent_bytes: 2_500 * 200,
        dropped: drops,
        busy: Span::from_millis(500),
        max_queue: 400,
        queue_integral: 50_000_000_000 * 3,
        ..Counters::default()
    };
    let link = LinkCounters {
        name: "ny-london".into(),
        a: "ny".into(),
        b: "london".into(),
        a_to_b,
        b_to_a: Counters::default(),
    };
    let ended = Ended {
        scenario: "tcp-vs-udp".into(),
        seed: 7,
        digest: Digest::default(),
        simulated: Span::from_secs(50),
        events: 10_000,
        packet_hops: 5_000,
        performance: Performance { wall_ns: 1, cpu_ns: 1 },
        servers: Vec::new(),
        packets_sent: 2_500,
        packets_retransmitted: 12,
        packets_retransmitted_quic: 2,
        packets_duplicated: 0,
        packets_delivered: 2_500 - 2_500 / lose,
        packets_in_flight: 0,
        nodes: vec![("london".into(), [0; Cause::ALL.len()])],
        links: vec![link],
        timeline: vec![],
        expect: vec![],
        warnings: vec![],
    };
    summarise(ended, traffic)
}

/// A directory that is gone when the test is over.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lightlag-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn results(&self, name: &str, lose: u64) -> PathBuf {
        let dir = self.0.join(name);
        let traffic = traffic(["udp", "tcp"], lose);
        write_results(&dir, &outcome(&traffic, lose), &traffic).unwrap();
        dir
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lightlag(words: &[&str]) -> snapbox::cmd::OutputAssert {
    Command::new(env!("CARGO_BIN_EXE_lightlag")).args(words).assert()
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_outcome_keeps_the_laws() {
    let traffic = traffic(["udp", "tcp"], 50);
    let outcome = outcome(&traffic, 50);
    for traffic in outcome.traffic.values() {
        let latency = traffic.latency_ns.unwrap();
        assert_eq!(traffic.phases_ns.values().sum::<u64>(), latency.sum);
        assert!(latency.min <= latency.mean && latency.mean <= latency.max);
        let median = traffic.median.as_ref().unwrap();
        assert_eq!(median.phases_ns.values().sum::<u64>(), median.latency_ns);
        assert_eq!(Some(median.latency_ns), latency.p50);
        let slowest = traffic.slowest.as_ref().unwrap();
        assert_eq!(slowest.phases_ns.values().sum::<u64>(), slowest.latency_ns);
        assert!(latency.p50.unwrap() >= traffic.light_floor_ns.unwrap(), "nothing is faster than light");
        assert_eq!(traffic.counts.started, traffic.counts.ok + traffic.counts.unfinished);
    }
    // One in fifty lost: UDP loses it, TCP is late with it.
    let (udp, tcp) = (&outcome.traffic["udp"], &outcome.traffic["tcp"]);
    assert_eq!((udp.ok_share.unwrap().ppm(), tcp.ok_share.unwrap().ppm()), (980_000, 1_000_000));
    assert_eq!(tcp.latency_ns.unwrap().p99, Some(104_000_000));
    assert_eq!(tcp.slowest.as_ref().unwrap().phases_ns["recovery"], 76_000_000 * 25);
    let packets = &outcome.packets;
    let dropped: u64 = packets.dropped.values().sum();
    assert_eq!(packets.sent + packets.duplicated, packets.delivered + dropped + packets.in_flight);
    // Half a second of fifty, and three bytes on average.
    assert_eq!(outcome.links["ny-london"].a_to_b.utilisation.ppm(), 10_000);
    assert_eq!(outcome.links["ny-london"].a_to_b.queue.mean_bytes, 3);
}

#[test]
fn results_come_back_as_they_were_written() {
    let dir = Dir::new("written");
    let results = dir.results("a", 50);
    let files = [
        "links.csv",
        "outcome.json",
        "tcp.goodput.csv",
        "tcp.samples.csv",
        "traffic.csv",
        "udp.goodput.csv",
        "udp.samples.csv",
    ];
    assert_eq!(names_in(&results), files);
    let read = read_results(&results).unwrap();
    let traffic = traffic(["udp", "tcp"], 50);
    assert_eq!(read.outcome, outcome(&traffic, 50));
    assert_eq!(read.samples[0].len(), 2_450);
    let bytes: u64 = read.goodput[1].iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(bytes, 2_500 * 160);
    // Every row of the samples sums: number, end, latency, then phases.
    let table = fs::read_to_string(results.join("tcp.samples.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(
        lines.next().unwrap(),
        "number,end_ns,latency_ns,sender_wait_ns,recovery_ns,serialisation_ns,queueing_ns,propagation_ns,reorder_wait_ns"
    );
    for line in lines {
        let cells: Vec<u64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(cells[2], cells[3..].iter().sum::<u64>(), "{line}");
    }
    // Writing again replaces everything and leaves nothing beside.
    dir.results("a", 25);
    assert_eq!(names_in(&results), files);
}

#[test]
fn plot_draws_every_figure() {
    let dir = Dir::new("plots");
    let runs = [10, 25, 50, 100].map(|lose| dir.results(&format!("lose-{lose}"), lose).display().to_string());
    let first = runs[0].as_str();
    for (figure, more) in [
        ("cdf", vec![first]),
        ("tail", vec![first]),
        ("time", vec![first, "--traffic", "tcp"]),
        ("goodput", vec![first]),
        ("loss", runs.iter().map(String::as_str).collect()),
    ] {
        let path = Path::new(first).join(format!("{figure}.svg"));
        let words = [vec!["plot", figure], more].concat();
        lightlag(&words).success().stdout_eq(format!("{}\n", path.display())).stderr_eq("");
        let svg = fs::read_to_string(&path).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{figure}");
        // The same results give the same bytes.
        lightlag(&words).success();
        assert_eq!(fs::read_to_string(&path).unwrap(), svg, "{figure}");
    }
}

#[test]
fn plot_says_what_it_cannot_draw() {
    let dir = Dir::new("wrong");
    let results = dir.results("a", 50).display().to_string();
    let missing = dir.0.join("nothing").display().to_string();
    lightlag(&["plot", "time", &results])
        .code(2)
        .stdout_eq("")
        .stderr_eq("error: `plot time` draws one traffic of one result: choose with --traffic among udp, tcp\n");
    lightlag(&["plot", "cdf", &results, "--traffic", "quic"])
        .code(2)
        .stderr_eq("error: no traffic is called `quic`; there is udp, tcp\n");
    lightlag(&["plot", "cdf", &missing])
        .code(3)
        .stdout_eq("")
        .stderr_eq("error: cannot read `[..]outcome.json`: [..]\n");
    fs::write(Path::new(&results).join("outcome.json"), "{}").unwrap();
    lightlag(&["plot", "cdf", &results])
        .code(3)
        .stderr_eq("error: cannot read `[..]outcome.json`: missing field [..]\n");
}

#[test]
fn the_summary_sets_udp_and_tcp_side_by_side() {
    let traffic = traffic(["udp", "tcp"], 50);
    let outcome = outcome(&traffic, 50).without_performance();
    let options =
        Options { style: Style::Plain, file: Some("scenarios/tcp-vs-udp.ron"), out: None, seed: None, warned: false };
    insta::assert_snapshot!(summary(&outcome, options));
}
