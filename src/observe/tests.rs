//! The laws of observation, on records made by hand and by chance.

use super::attribution::{self, Joiner};
use super::metrics::{Kind, Metrics, Plan};
use super::phase::Phase;
use super::samples::{BEYOND, Percentile, Sample, Samples};
use crate::base::{Span, Time};
use crate::trace::{Arrival, Echo, Exchange, Failure, Message, MessageSent, Progress, Record, Request, RequestStarted};
use proptest::prelude::*;
use std::net::Ipv4Addr;

const fn at(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

const fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}

/// A byte first sent at `first_sent`, resent at `sent`, 28 ms of fiber, 1 ms on the links, 2 ms in queues, released 5 ms later.
fn way(first_sent: u64, sent: u64) -> Arrival {
    Arrival {
        first_sent: at(first_sent),
        sent: at(sent),
        arrived: at(sent + 31),
        released: at(sent + 36),
        serialisation: ms(1),
        queueing: ms(2),
        propagation: ms(28),
    }
}

/// Asked at 100; 10 for the name, 56 for the connection; answered by `exchange()`; read at 500.
fn request() -> Request {
    Request {
        resolved: at(110),
        connected: at(166),
        secured: at(166),
        read: at(166),
        written: at(166),
        end: at(500),
        lookup_flow: 1,
        flow: 2,
        status: 200,
        response: way(250, 450),
        body: 1000,
        ..Request::begun(0, 0, 0, at(100))
    }
}

/// Got the request at 203 (sent at once), queued it for 4, worked for 20.
fn exchange() -> Exchange {
    Exchange { started: at(207), ..Exchange::at_once(2, 0, 1, way(167, 167), at(227)) }
}

fn shares_by_name(shares: &[Span], phases: &[Phase]) -> Vec<(&'static str, u64)> {
    let pairs = phases.iter().zip(shares).filter(|(_, share)| !share.is_zero());
    pairs.map(|(phase, share)| (phase.name(), share.as_millis())).collect()
}

#[test]
fn a_request_is_divided_at_the_instants_that_both_ends_saw() {
    let shares = attribution::of_request(&request(), Some(&exchange()));
    assert_eq!(
        shares_by_name(&shares, Phase::REQUEST),
        [
            ("dns", 10),
            ("connect", 56),
            ("request_wait", 1),
            ("request_serialisation", 1),
            ("request_queueing", 2),
            ("request_propagation", 28),
            ("request_reorder_wait", 5),
            ("server_queue", 4),
            ("server_work", 20),
            ("response_wait", 23),
            ("response_recovery", 200),
            ("response_serialisation", 1),
            ("response_queueing", 2),
            ("response_propagation", 28),
            ("response_reorder_wait", 5),
            ("read_wait", 14),
        ]
    );
}

#[test]
fn a_request_that_failed_waits_unanswered_from_the_last_thing_known() {
    let failed = Request { failure: Some(Failure::Timeout), response: Arrival::default(), ..request() };
    let known = |exchange| shares_by_name(&attribution::of_request(&failed, exchange), Phase::REQUEST);
    assert_eq!(known(None), [("dns", 10), ("connect", 56), ("unanswered", 334)]);
    // The server did its part: only what followed went unanswered.
    assert_eq!(known(Some(&exchange())).last(), Some(&("unanswered", 273)));
    // The name never came: "those after the failure equal the end".
    let nameless = Request {
        resolved: at(500),
        connected: at(500),
        secured: at(500),
        read: at(500),
        written: at(500),
        flow: 0,
        ..failed
    };
    assert_eq!(shares_by_name(&attribution::of_request(&nameless, None), Phase::REQUEST), [("dns", 400)]);
}

#[test]
fn an_answer_without_a_server_record_is_unobserved_up_to_its_transmission() {
    let shares = shares_by_name(&attribution::of_request(&request(), None), Phase::REQUEST);
    assert_eq!(shares[2], ("unobserved", 84));
    assert_eq!(shares[3], ("response_recovery", 200));
}

#[test]
fn an_echo_is_divided_as_its_packets_spent_their_time() {
    let mut echo = Echo {
        traffic: 0,
        number: 0,
        sent: at(0),
        ttl: 64,
        ended: at(60),
        answer: Some((Ipv4Addr::LOCALHOST, at(60))),
        reached: true,
        spent: (ms(1), ms(2), ms(56)),
    };
    let shares = attribution::of_echo(&echo).unwrap();
    assert_eq!(
        shares_by_name(&shares, Phase::ECHO),
        [("serialisation", 1), ("queueing", 2), ("propagation", 56), ("turnaround", 1)]
    );
    echo.answer = None;
    assert_eq!(attribution::of_echo(&echo), None);
}

#[test]
fn both_ends_are_joined_whichever_comes_first() {
    let mut joiner = Joiner::default();
    assert_eq!(joiner.exchange(exchange()), None);
    assert_eq!(joiner.request(request()), Some((request(), Some(exchange()))));
    assert_eq!(joiner.request(request()), None);
    assert_eq!(joiner.exchange(exchange()), Some((request(), Some(exchange()))));
    // Another exchange on the same connection is another request's.
    assert_eq!(joiner.exchange(Exchange { exchange: 1, ..exchange() }), None);
    assert_eq!(joiner.request(request()), None);
    assert_eq!(joiner.finish().collect::<Vec<_>>(), [(request(), None)]);
}

fn instant() -> impl Strategy<Value = Time> {
    (0..2_000_u64).prop_map(Time::from_nanos)
}

fn arrival() -> impl Strategy<Value = Arrival> {
    (instant(), instant(), instant(), instant(), 0..500_u64, 0..500_u64).prop_map(
        |(first_sent, sent, arrived, released, serialisation, queueing)| Arrival {
            first_sent,
            sent,
            arrived,
            released,
            serialisation: Span::from_nanos(serialisation),
            queueing: Span::from_nanos(queueing),
            propagation: Span::ZERO,
        },
    )
}

proptest! {
    /// Whatever instants the two ends report, even in no sensible order: nothing is lost and nothing counted twice.
    #[test]
    fn phases_sum_to_the_latency(
        mut instants in proptest::collection::vec(instant(), 5),
        response in arrival(),
        seen in proptest::option::of((arrival(), instant(), instant())),
        failed in any::<bool>(),
    ) {
        instants.sort_unstable();
        let request = Request {
            start: instants[0], resolved: instants[1], connected: instants[2], secured: instants[2], written: instants[3], end: instants[4],
            failure: failed.then_some(Failure::Timeout), response, ..request()
        };
        let exchange = seen.map(|(way, started, finished)| Exchange { request: way, started, finished, ..exchange() });
        let shares = attribution::of_request(&request, exchange.as_ref());
        prop_assert_eq!(shares.into_iter().sum::<Span>(), request.end - request.start);
        let message = Message { traffic: 0, number: 0, flow: 0, written: instants[0], arrival: response, bytes: 1 };
        let shares = attribution::of_message(&message);
        prop_assert_eq!(shares.into_iter().sum::<Span>(), response.released.since(instants[0]));
    }

    /// Nearest rank by its definition: the smallest sample that enough samples do not exceed.
    #[test]
    fn percentiles_agree_with_their_definition(latencies in proptest::collection::vec(0..50_u64, 1..200), ppm in 0..=1_000_000_u32) {
        let sample = |&n: &u64| Sample { time: Time::ZERO, latency: Span::from_nanos(n) };
        let sorted = latencies.iter().map(sample).collect::<Samples>().sorted();
        let enough = |x: u64| {
            let at_or_below = latencies.iter().filter(|&&n| n <= x).count() as u64;
            at_or_below * 1_000_000 >= u64::from(ppm) * latencies.len() as u64
        };
        let least = latencies.iter().copied().filter(|&x| enough(x)).min().unwrap();
        prop_assert_eq!(sorted.nearest(Percentile::from_ppm(ppm).unwrap()), Some(Span::from_nanos(least)));
    }
}

#[test]
fn a_percentile_needs_ten_samples_beyond_it() {
    let of = |count: u64| (0..count).map(|n| Sample { time: Time::ZERO, latency: ms(n) }).collect::<Samples>().sorted();
    assert_eq!(BEYOND, 10);
    assert_eq!(of(999).percentile(Percentile::P99), None);
    assert_eq!(of(1000).percentile(Percentile::P99), Some(ms(989)));
    assert_eq!(of(19).percentile(Percentile::P50), None);
    assert_eq!(of(20).percentile(Percentile::P50), Some(ms(9)));
    assert_eq!(of(0).percentile(Percentile::P50), None);
    assert_eq!(of(0).mean(), None);
}

fn metrics(kind: Kind) -> Metrics {
    Metrics::new([Plan {
        name: "t".into(),
        kind,
        light_floor: None,
        measure_from: Time::ZERO,
        tries_again: false,
        pays: false,
        sessions: false,
        called: false,
    }])
}

#[test]
fn requests_are_counted_once_whether_they_end_or_not() {
    let mut metrics = metrics(Kind::Requests);
    for number in 0..5 {
        metrics.record(&Record::RequestStarted(RequestStarted { traffic: 0, number, time: at(100) }));
    }
    metrics.record(&Record::Exchange(exchange()));
    metrics.record(&Record::Request(request()));
    let failed = |number, why| Record::Request(Request { number, failure: Some(why), flow: 7, ..request() });
    metrics.record(&failed(1, Failure::Timeout));
    metrics.record(&failed(2, Failure::Refused));
    // Answered, but its server's record never came.
    metrics.record(&Record::Request(Request { number: 3, flow: 9, ..request() }));
    let traffic = &metrics.finish()[0];
    assert_eq!((traffic.counts.started, traffic.counts.ok, traffic.counts.failures()), (5, 2, 2));
    assert_eq!(traffic.counts.unfinished(), 1);
    assert_eq!(traffic.ok_of(), Some((2, 4)));
    // Two bodies of 1,000 bytes in the 400 ms from 100 to 500.
    assert_eq!(traffic.goodput_bps(), 40_000);
    let sum: Span = traffic.samples.as_slice().iter().map(|sample| sample.latency).sum();
    assert_eq!(traffic.totals().map(|(_, span)| span).sum::<Span>(), sum);
    assert!(traffic.totals().eq(traffic.total(0..2)));
}

#[test]
fn a_message_arrives_once_however_many_copies_do() {
    let mut metrics = metrics(Kind::Messages);
    for number in 0..200 {
        metrics.record(&Record::MessageSent(MessageSent { traffic: 0, number, time: at(20 * number) }));
        let message = Message {
            traffic: 0,
            number,
            flow: 3,
            written: at(20 * number),
            arrival: way(20 * number, 20 * number),
            bytes: 160,
        };
        let copies = if number % 50 == 7 { 0 } else { 1 + u64::from(number == 3) };
        (0..copies).for_each(|_| metrics.record(&Record::Message(message)));
    }
    let traffic = &metrics.finish()[0];
    assert_eq!((traffic.counts.started, traffic.counts.ok, traffic.counts.duplicates), (200, 196, 1));
    assert_eq!(traffic.counts.unfinished(), 4);
    assert_eq!(traffic.bytes, 196 * 160);
    assert_eq!(traffic.samples.sorted().percentile(Percentile::P50), Some(ms(36)));
}

#[test]
fn a_route_is_the_addresses_that_let_the_ttl_run_out() {
    let mut metrics = metrics(Kind::Route);
    let echo = |number, ttl, answer: Option<u8>, reached| {
        let answer = answer.map(|last| (Ipv4Addr::new(10, 0, 0, last), at(5 + number)));
        let (sent, ended) = (at(number), at(5 + number));
        Record::Echo(Echo { traffic: 0, number, sent, ttl, ended, answer, reached, spent: Default::default() })
    };
    for record in
        [echo(0, 1, Some(1), false), echo(1, 1, Some(1), false), echo(2, 2, None, false), echo(3, 3, Some(9), true)]
    {
        metrics.record(&record);
    }
    let traffic = &metrics.finish()[0];
    let hops: Vec<_> =
        traffic.hops.iter().map(|(ttl, hop)| (*ttl, hop.sent, hop.answered_by.len(), hop.reached)).collect();
    assert_eq!(hops, [(1, 2, 1, false), (2, 1, 0, false), (3, 1, 1, true)]);
    assert_eq!((traffic.counts.ok, traffic.counts.failures()), (3, 1));
}

#[test]
fn bulk_goodput_counts_each_byte_in_its_interval() {
    let mut metrics = metrics(Kind::Bulk);
    let progress = |flow, time, bytes, finished| {
        Record::Progress(Progress { traffic: 0, flow, time: at(time), bytes, began: at(0), finished })
    };
    for n in 1..=10 {
        metrics.record(&progress(0, 100 * n - 1, 10_000 * n, false));
    }
    metrics.record(&progress(1, 1000, 5_000, true));
    // A repeated end neither counts nor moves anything.
    metrics.record(&progress(1, 1100, 5_000, true));
    let traffic = &metrics.finish()[0];
    assert_eq!(traffic.bytes, 105_000);
    assert_eq!((traffic.counts.started, traffic.counts.ok), (2, 1));
    assert_eq!(traffic.samples.as_slice(), [Sample { time: at(1000), latency: ms(1000) }]);
    // 105,000 bytes in a second and a tenth; from half a second on 55,000 in six tenths.
    assert_eq!(traffic.goodput_bps(), 105_000 * 8 * 10 / 11);
    let mut late = traffic.clone();
    late.plan.measure_from = at(599);
    assert_eq!(late.goodput_bps(), 55_000 * 8 * 10 / 6);
    late.plan.measure_from = at(5_000);
    assert_eq!(late.goodput_bps(), 0);
    assert_eq!(traffic.flows[1].unwrap().bytes, 5_000);
}
