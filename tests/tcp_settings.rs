//! TCP settings of a scenario, and what each of them changes over real packets.

mod runs;

use lightlag::base::Span;
use lightlag::run::Outcome;

const RTT: Span = Span::from_millis(80);

/// A user and a server 40 ms apart, each with TCP settings.
fn scenario(user: &str, server: &str, http: &str) -> String {
    format!(
        r#"Scenario(run_for: "300s",
            nodes: {{ "user": Host(tcp: ({user})), "shop": Server({server}) }},
            links: [(between: ("user", "shop"), rate: "1Tbps", delay: "40ms")],
            traffic: {{ "page": Http(from: "user", to: "shop", {http}) }})"#
    )
}

fn run(source: &str) -> Outcome {
    runs::run(source).0
}

/// Shortest and longest latency in whole milliseconds.
fn extremes(source: &str) -> (u64, u64) {
    let outcome = run(source);
    let traffic = &outcome.traffic["page"];
    assert_eq!(traffic.counts.failed, 0);
    let latency = traffic.latency_ns.unwrap();
    (latency.min / 1_000_000, latency.max / 1_000_000)
}

/// Fast Open saves exactly one round trip, if both sides do it, from the second connection on.
#[test]
fn fast_open_saves_one_round_trip() {
    let rtt = RTT.as_millis();
    let fresh = "connection: Fresh, arrivals: Every(\"1s\"), count: 5";
    let on = "fast_open: true";
    assert_eq!(extremes(&scenario(on, "tcp: (fast_open: true)", fresh)), (rtt, 2 * rtt));
    assert_eq!(extremes(&scenario(on, "", fresh)), (2 * rtt, 2 * rtt));
    assert_eq!(extremes(&scenario("", "tcp: (fast_open: true)", fresh)), (2 * rtt, 2 * rtt));
    // With early data of TLS 1.3 everything is in the first packet.
    let (least, most) = extremes(&scenario(
        on,
        "tcp: (fast_open: true), tls: (early_data: true)",
        &format!("{fresh}, tls: (early_data: true)"),
    ));
    assert_eq!((least, most), (rtt, 3 * rtt));
}

/// An idle connection is probed, two packets a probe, and is not lost. As in Linux the timer after a probe runs for `every`,
/// answered or not, and only then it is seen how long the connection has been idle.
#[test]
fn keep_alive_probes_an_idle_connection() {
    let http = "arrivals: At([\"0s\", \"200s\"]), connection: Pool(max: 1)";
    let sent = |tcp: &str| {
        let outcome = run(&scenario(tcp, "keep_alive: \"290s\"", http));
        assert_eq!(outcome.traffic["page"].counts.ok, 2);
        outcome.packets.sent
    };
    let silent = sent("");
    // Idle from 0.16 s to 200 s: probed after 30 s, then every 75 s.
    assert_eq!(sent("keep_alive: \"30s\"") - silent, 2 * 3);
    assert_eq!(sent("keep_alive: (after: \"30s\", every: \"10s\")") - silent, 2 * 6);
    assert_eq!(sent("keep_alive: \"250s\"") - silent, 0);
}

/// 28,232 ports: as many connections can be made to one server within the minute that TIME-WAIT lasts, and not one more.
#[test]
fn a_client_has_as_many_connections_as_ports() {
    let http = "head: \"100B\", connection: Pool(max: 10, idle: \"1us\"), arrivals: Every(\"1ms\"), until: \"29s\"";
    let source = scenario("", "response: \"10B\"", http).replace("40ms", "10us");
    let counts = run(&source).traffic["page"].counts.clone();
    assert_eq!((counts.ok, counts.failed), (28_232, 29_000 - 28_232));
    assert_eq!(counts.failed_by["no_port"], counts.failed);
}
