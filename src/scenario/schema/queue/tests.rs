use super::*;
use crate::base::Span as Duration;
use crate::scenario::parse;
use crate::scenario::plan::Plan;

const TRAFFIC: &str = r#""t": Bulk(from: "a", to: "b", congestion: "dctcp", dscp: "EF")"#;

fn scenario(queue: &str, traffic: &str) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let link = format!(r#"(between: ("a", "b"), rate: "100Mbps", delay: "1ms", queue: {queue})"#);
    parse(&format!(r#"Scenario(nodes: {{"a": Host(), "b": Host()}}, links: [{link}], traffic: {{{traffic}}})"#), "test")
}

/// A queue that there is nothing to say against.
fn queue(text: &str) -> Config {
    let (plan, warnings) = scenario(text, TRAFFIC).unwrap_or_else(|all| panic!("{text}: {all:#?}"));
    assert!(warnings.is_empty(), "{text}: {warnings:#?}");
    plan.links[0].directions[0].queue.clone()
}

/// What is said against a queue: codes and messages.
fn said(text: &str) -> Vec<(Code, String)> {
    let all = scenario(text, TRAFFIC).map_or_else(|all| all, |(_, warnings)| warnings);
    all.into_iter().map(|diagnostic| (diagnostic.code, diagnostic.message)).collect()
}

#[test]
fn what_is_left_out_is_as_rfcs_and_kernels_have_it() {
    let codel = codel::Config::default();
    assert_eq!(queue("Codel()"), Config::Codel(codel));
    assert_eq!((codel.target, codel.interval), (Duration::from_millis(5), Duration::from_millis(100)));
    let Config::FqCodel(fq) = queue("FqCodel") else { panic!() };
    assert!(fq.codel.ecn && fq.flows == 1_024 && fq.codel.limit == Limit::Packets(10_240) && fq.quantum.is_none());
    let Config::Red(red) = queue(r#"Red(min: "30kB", max: "90kB")"#) else { panic!() };
    assert_eq!((red.unit, red.min, red.max, red.gentle, red.ecn), (red::Unit::Bytes, 30_000, 90_000, true, false));
    assert_eq!((red.probability, red.weight), (Ratio::new(0.1).unwrap(), Ratio::new(0.002).unwrap()));
}

#[test]
fn every_parameter_is_read() {
    assert_eq!(
        queue(r#"DropTail(limit: "256KiB", ecn: "30kB")"#),
        Config::Threshold { limit: Limit::Bytes(262_144), mark_above: Limit::Bytes(30_000) }
    );
    let Config::Codel(codel) =
        queue(r#"Codel(target: "1ms", interval: "20ms", ecn: true, ce_threshold: "2ms", limit: 50)"#)
    else {
        panic!()
    };
    assert_eq!(codel.target, Duration::from_millis(1));
    assert_eq!((codel.interval, codel.ce_threshold), (Duration::from_millis(20), Some(Duration::from_millis(2))));
    assert_eq!((codel.ecn, codel.limit), (true, Limit::Packets(50)));
    let Config::FqCodel(fq) = queue(r#"FqCodel(flows: 16, quantum: "300B", ecn: false)"#) else { panic!() };
    assert_eq!((fq.flows, fq.quantum, fq.codel.ecn), (16, Some(300), false));
    let Config::Red(red) =
        queue("Red(min: 5, max: 15, probability: \"2%\", weight: \"1%\", gentle: false, ecn: true, limit: 60)")
    else {
        panic!()
    };
    assert_eq!((red.unit, red.gentle, red.ecn, red.limit), (red::Unit::Packets, false, true, Limit::Packets(60)));
}

#[test]
fn queues_stand_inside_queues() {
    let text = r#"TokenBucket(rate: "50Mbps", burst: "15kB", queue: Priority(bands: [["EF", 44], ["AF41"]], each: FqCodel()))"#;
    let traffic = format!(r#"{TRAFFIC}, "v": Ping(from: "a", to: "b", dscp: 34)"#);
    let (plan, warnings) = scenario(text, &traffic).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let Config::TokenBucket(shaper) = &plan.links[0].directions[1].queue else { panic!() };
    let Config::Priority(priority) = &*shaper.queue else { panic!() };
    let named = |name| Dscp::by_name(name).unwrap();
    assert_eq!(priority.bands, [vec![named("EF"), named("VA")], vec![named("AF41")]]);
    assert!(matches!(*priority.each, Config::FqCodel(_)));
    assert_eq!((plan.traffic[0].dscp, plan.traffic[1].dscp), (named("EF"), named("AF41")));
}

#[test]
fn what_cannot_be_is_an_error() {
    for (text, code) in [
        ("Codel(target: \"100ms\")", Code::Contradiction),
        ("Codel(target: \"0ms\")", Code::OutOfRange),
        ("Red(min: \"30kB\", max: 90)", Code::WrongShape),
        ("Red(min: \"90kB\", max: \"30kB\")", Code::Contradiction),
        ("Red(max: \"30kB\")", Code::MissingField),
        ("TokenBucket(rate: \"5Mbps\", burst: \"1499B\")", Code::OutOfRange),
        ("Policer(rate: \"5Mbps\", burst: \"1499B\")", Code::OutOfRange),
        ("TokenBucket(rate: \"5Mbps\", burst: \"15kB\", queue: DropTail(\"100B\"))", Code::OutOfRange),
        ("Priority(bands: [])", Code::OutOfRange),
        ("Priority(bands: [[\"EF\"], [46]])", Code::Contradiction),
        ("Priority(bands: [[\"XF\"]])", Code::UnknownVariant),
        ("Priority(bands: [[64]])", Code::OutOfRange),
        ("Priority(bands: [\"EF\"])", Code::WrongShape),
        ("DropTail(limit: 100, ecn: true)", Code::WrongShape),
        ("DropTail", Code::WrongShape),
        ("FqCodel(flows: 0)", Code::OutOfRange),
        ("Fq_Codel()", Code::UnknownVariant),
    ] {
        let all = said(text);
        assert_eq!(all.iter().map(|(code, _)| *code).collect::<Vec<_>>(), [code], "{text}: {all:?}");
    }
    assert!(scenario("Policer(rate: \"5Mbps\", burst: \"1500B\")", TRAFFIC).is_ok(), "just enough");
}

#[test]
fn what_has_no_effect_is_a_warning() {
    for (text, part) in [
        ("TokenBucket(rate: \"100Mbps\", burst: \"15kB\")", "the line itself carries"),
        ("DropTail(limit: 100, ecn: 100)", "never holds more than 100 packets"),
        ("Red(min: 100, max: 200, limit: 100)", "never holds more"),
        ("Priority(bands: [[\"EF\"], [\"AF41\"]])", "no traffic uses the band [AF41]"),
    ] {
        let all = said(text);
        assert!(matches!(&all[..], [(Code::NoEffect, message)] if message.contains(part)), "{text}: {all:?}");
    }
}

#[test]
fn marks_need_somebody_who_understands_them() {
    let cubic = r#""t": Bulk(from: "a", to: "b")"#;
    let warned = |queue: &str, traffic: &str| !scenario(queue, traffic).unwrap().1.is_empty();
    for queue in [
        "Codel(ecn: true)",
        "DropTail(limit: 100, ecn: 20)",
        "TokenBucket(rate: \"9Mbps\", burst: \"15kB\", queue: Codel(ecn: true))",
    ] {
        assert!(warned(queue, cubic), "{queue}");
        assert!(!warned(queue, TRAFFIC), "{queue}");
    }
    assert!(!warned("FqCodel()", cubic), "its default asks for nothing");
}
