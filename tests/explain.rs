//! What `explain` says, from records to words.

use lightlag::base::{Span, Time};
use lightlag::observe::{Cases, Pick};
use lightlag::report::{Style, explain};
use lightlag::trace::{Arrival, Directory, Echo, Exchange, Failure, Lookup, Record, Request};
use std::net::Ipv4Addr;

const fn at(micros: u64) -> Time {
    Time::from_nanos(1_000_000_000 + micros * 1_000)
}

/// A byte sent at `sent` after being lost for `recovery`, 27.85 ms of fiber, 0.12 ms on the links.
fn way(sent: u64, recovery: u64) -> Arrival {
    Arrival {
        first_sent: at(sent - recovery),
        sent: at(sent),
        arrived: at(sent + 27_970),
        released: at(sent + 27_970),
        serialisation: Span::from_micros(120),
        queueing: Span::ZERO,
        propagation: Span::from_micros(27_850),
    }
}

/// The fresh request of the guide: name, handshake, question, answer.
fn request(number: u64, recovery: u64) -> [Record; 3] {
    let flow = 10 + number;
    let request = Request {
        resolved: at(420),
        connected: at(56_360),
        secured: at(56_360),
        read: at(56_360),
        written: at(56_360),
        end: at(117_500 + recovery),
        lookup_flow: 1,
        flow,
        status: 200,
        response: way(89_530 + recovery, recovery),
        body: 40_000,
        ..Request::begun(0, number, 0, at(0))
    };
    let exchange = Exchange { started: at(84_330), ..Exchange::at_once(flow, 0, 2, way(56_360, 0), at(89_530)) };
    let lookup = Lookup { node: 0, start: at(0), end: at(420), flow: 1, of: Directory::Resolver { tries: 1 } };
    [Record::Lookup(lookup), Record::Exchange(exchange), Record::Request(request)]
}

fn told(cases: &Cases, pick: Pick) -> String {
    let nodes = ["user", "dns", "shop"].map(String::from);
    let context = explain::Context {
        traffic: "pages",
        nodes: &nodes,
        traffics: &["pages"],
        light_floor: Some(Span::from_micros(55_700)),
        style: Style::Plain,
    };
    let case = cases.pick(pick).unwrap();
    explain::explain(case, &cases.parts(case), context)
}

#[test]
fn the_median_and_the_slowest_are_found_and_told() {
    let mut cases = Cases::new(0);
    for (number, recovery) in [(0, 0), (1, 250_000), (2, 10)] {
        request(number, recovery).iter().for_each(|record| cases.record(record));
    }
    cases.finish();
    assert_eq!(cases.pick(Pick::Median).unwrap().number, 2);
    assert_eq!(cases.pick(Pick::Number(3)), None);
    let slowest = told(&cases, Pick::Slowest);
    assert!(slowest.lines().all(|line| line.chars().count() <= 100), "{slowest}");
    insta::assert_snapshot!("slowest", slowest);
}

#[test]
fn a_failed_request_is_told_as_far_as_it_came() {
    let mut cases = Cases::new(0);
    let [lookup, _, Record::Request(request)] = request(0, 0) else { unreachable!() };
    let failed = Request { failure: Some(Failure::Timeout), status: 0, response: Arrival::default(), ..request };
    cases.record(&lookup);
    cases.record(&Record::Request(failed));
    // Where nothing ended well, the slowest is the slowest failure.
    insta::assert_snapshot!("failed", told(&cases, Pick::Slowest));
}

#[test]
fn an_echo_without_an_answer_has_no_budget() {
    let mut cases = Cases::new(0);
    let echo = Echo {
        traffic: 0,
        number: 0,
        sent: at(0),
        ttl: 3,
        ended: at(0),
        answer: None,
        reached: false,
        spent: (Span::ZERO, Span::ZERO, Span::ZERO),
    };
    let spent = (Span::ZERO, Span::from_micros(2), Span::from_micros(55_700));
    let answered = Echo { number: 1, answer: Some((Ipv4Addr::LOCALHOST, at(55_702))), reached: true, spent, ..echo };
    [echo, answered].iter().for_each(|echo| cases.record(&Record::Echo(*echo)));
    assert!(told(&cases, Pick::Number(0)).ends_with("ttl 3, answered by nobody\n"));
    assert!(
        told(&cases, Pick::Median)
            .contains("light in fiber on the great circle: 55.7 ms round trip; this took 1.00 times")
    );
}
