//! HTTPS over real packets: what handshakes cost in round trips, what a lost packet costs a record, and what is said to those who
//! confuse `http` with `https`.

mod runs;

use lightlag::base::Span;
use lightlag::observe::Phase;
use lightlag::scenario::{Diagnostic, parse};
use runs::run;

/// One way, and a rate at which no packet takes a microsecond.
const RTT: Span = Span::from_millis(80);

/// A user and a server 40 ms apart; `server` and `http` are further fields of each, `link` of the link.
fn scenario(server: &str, http: &str, link: &str) -> String {
    format!(
        r#"Scenario(run_for: "60s",
            nodes: {{ "user": Host(), "shop": Server({server}) }},
            links: [(between: ("user", "shop"), rate: "1Tbps", delay: "40ms", {link})],
            traffic: {{ "page": Http(from: "user", connection: Fresh, {http}) }})"#
    )
}

/// Latency and TLS phase of the `index`-th request, in whole milliseconds.
fn spent(source: &str, index: usize) -> (u64, u64) {
    let (_, traffic) = run(source);
    let budget = traffic[0].budget(index);
    assert_eq!(budget.total(), traffic[0].samples.as_slice()[index].latency, "phases sum to the latency");
    (budget.total().as_millis(), budget.of(Phase::Tls).as_millis())
}

/// 1.3 costs exactly one round trip more than plain, 1.2 two, a resumed 1.2 one, early data none.
#[test]
fn handshakes_cost_their_round_trips() {
    let rtt = RTT.as_millis();
    let twice = "arrivals: Every(\"5s\"), count: 2";
    let of = |http: &str, index| {
        spent(&scenario("tls: (early_data: true)", &format!("to: \"https://shop/\", {twice}, {http}"), ""), index)
    };
    let plain = spent(&scenario("", "to: \"http://shop/\"", ""), 0);
    assert_eq!(plain, (2 * rtt, 0));
    assert_eq!(of("tls: (min_version: \"1.3\")", 0), (3 * rtt, rtt));
    assert_eq!(of("tls: (max_version: \"1.2\")", 0), (4 * rtt, 2 * rtt));
    // The second visit has a ticket.
    assert_eq!(of("tls: (min_version: \"1.3\")", 1), (3 * rtt, rtt));
    assert_eq!(of("tls: (max_version: \"1.2\")", 1), (3 * rtt, rtt));
    assert_eq!(of("tls: (max_version: \"1.2\", resumption: false)", 1), (4 * rtt, 2 * rtt));
    assert_eq!(of("tls: (early_data: true)", 1), (2 * rtt, 0));
}

/// A chain that does not fit into the initial window of ten segments costs another round trip.
#[test]
fn a_chain_larger_than_the_initial_window_costs_a_round_trip() {
    let of = |chain| spent(&scenario(&format!("tls: (certificate: \"{chain}B\")"), "to: \"https://shop/\"", ""), 0);
    let rtt = RTT.as_millis();
    assert_eq!(of(13_900), (3 * rtt, rtt));
    assert_eq!(of(14_600), (4 * rtt, 2 * rtt));
}

/// The work of signing is a part of the TLS phase, and only of a full handshake.
#[test]
fn signing_takes_a_worker_and_resumption_spares_it() {
    let source = scenario("tls: (handshake: \"7ms\")", "to: \"https://shop/\", arrivals: Every(\"5s\"), count: 2", "");
    assert_eq!(spent(&source, 0).1, RTT.as_millis() + 7);
    assert_eq!(spent(&source, 1).1, RTT.as_millis());
}

/// Everything arrives over a path that loses and reorders, and nothing is left out of the account.
#[test]
fn pages_under_tls_survive_loss() {
    let http = "to: \"https://shop/\", arrivals: Every(\"100ms\"), count: 200, timeout: Never, tls: (early_data: true)";
    let server = "tls: (early_data: true), response: \"200KiB\", keep_alive: false";
    let (outcome, traffic) = run(&scenario(server, http, "loss: \"3%\""));
    assert_eq!(outcome.traffic["page"].counts.ok, 200, "{:?}", outcome.traffic["page"].counts);
    for (index, sample) in traffic[0].samples.as_slice().iter().enumerate() {
        assert_eq!(traffic[0].budget(index).total(), sample.latency);
    }
}

fn said(source: &str) -> Vec<Diagnostic> {
    match parse(source, "https") {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    }
}

#[test]
fn those_who_could_not_speak_with_each_other_are_told_before_they_try() {
    let cases = [
        ("", "to: \"https://shop/\"", "`shop` does not speak TLS"),
        ("tls: true", "to: \"http://shop:443/\"", "`shop` speaks nothing but TLS"),
        (
            "tls: (min_version: \"1.3\")",
            "to: \"https://shop/\", tls: (max_version: \"1.2\")",
            "users speak TLS 1.2, `shop` speaks TLS 1.3",
        ),
        (
            "tls: (min_version: \"1.3\", max_version: \"1.2\")",
            "to: \"https://shop/\"",
            "no TLS version is at least 1.3 and at most 1.2",
        ),
        ("tls: true, port: 8443", "to: \"https://shop/\"", "`shop` listens on port 8443, not 443"),
        ("tls: (certificate: \"100B\")", "to: \"https://shop/\"", "`certificate` cannot be 100 B"),
        ("", "to: \"http://shop/\", tls: ()", "`tls` has no effect: the URL says `http`; write `https://` for TLS"),
        (
            "tls: true",
            "to: \"https://shop/\", arrivals: Every(\"1s\"), tls: (early_data: true)",
            "`shop` takes no early data",
        ),
        (
            "tls: (early_data: true)",
            "to: \"https://shop/\", method: \"POST\", arrivals: Every(\"1s\"), tls: (early_data: true)",
            "`early_data` has no effect: only GET and HEAD are sent early: anybody can send them again",
        ),
        (
            "tls: (early_data: true, max_version: \"1.2\")",
            "to: \"https://shop/\"",
            "`early_data` has no effect: early data came with TLS 1.3",
        ),
    ];
    for (server, http, message) in cases {
        let found: Vec<String> = said(&scenario(server, http, "")).into_iter().map(|found| found.message).collect();
        assert_eq!(found, [message], "{server} {http}");
    }
    // A node's name alone stands for what it speaks.
    assert!(said(&scenario("tls: true", "to: \"shop\"", "")).is_empty());
}
