//! Servers that saturate, ask others and are asked again, over real packets from scenario text.

mod runs;

use lightlag::observe::Traffic;
use lightlag::run::outcome::Performance;
use lightlag::run::{Outcome, Simulation};
use lightlag::scenario::build::lay_out;
use lightlag::scenario::{Diagnostic, parse};
use lightlag::trace::Mask;

/// What a scenario comes to whose nodes all hang on one router.
fn run(nodes: &str, traffic: &str, run_for: &str) -> (Outcome, Vec<Traffic>) {
    runs::run(&scenario(nodes, traffic, run_for))
}

/// `nodes` without the router: each is linked to it, 1 ms away.
fn scenario(nodes: &str, traffic: &str, run_for: &str) -> String {
    let names = nodes.split('"').skip(1).step_by(2).filter(|name| nodes.contains(&format!("\"{name}\":")));
    let mut names: Vec<&str> = names.collect();
    names.dedup();
    let links: Vec<String> = names
        .iter()
        .map(|name| format!("(between: (\"{name}\", \"lan\"), rate: \"10Gbps\", delay: \"1ms\")"))
        .collect();
    format!(
        "Scenario(run_for: \"{run_for}\", nodes: {{ {nodes} \"lan\": Router() }}, links: [{}], traffic: {{ {traffic} }})",
        links.join(", ")
    )
}

fn said(nodes: &str, traffic: &str) -> Vec<Diagnostic> {
    match parse(&scenario(nodes, traffic, "10s"), "test") {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    }
}

/// 0.99^100 = 36.6 %: of requests that need a hundred answers, 63.4 % wait longer than one in a hundred answers does.
#[test]
fn a_fan_out_to_a_hundred_meets_the_slow_hundredth_nearly_two_times_in_three() {
    let nodes = r#""user": Host(), "root": Server(workers: 99, calls: [(to: "http://leaf/", count: 100, connection: Pool(1000))]),
        "leaf": Server(workers: 10000, service: Exponential("10ms")),"#;
    let traffic = r#""page": Http(from: "user", to: "http://root/", arrivals: Every("50ms"), count: 1000),"#;
    let (outcome, traffic) = run(nodes, traffic, "60s");
    assert_eq!(outcome.traffic["page"].counts.ok, 1_000);
    let of = |name: &str| traffic.iter().find(|traffic| traffic.plan.name == name).unwrap();
    // The 99th percentile of an exponential: ln(100) means; then 4 ms from root to leaf and back.
    let slow = 46.05 + 4.0;
    let leaves = of("root-leaf").samples.as_slice();
    assert_eq!(leaves.len(), 100_000);
    let share = leaves.iter().filter(|sample| sample.latency.as_millis_f64() > slow).count() as f64 / 100_000.0;
    assert!((share - 0.01).abs() < 0.002, "{share} of the leaves are slow");
    let pages = of("page").samples.as_slice();
    let share = pages.iter().filter(|sample| sample.latency.as_millis_f64() > slow + 4.0).count() as f64 / 1_000.0;
    assert!((share - 0.634).abs() < 0.05, "{share} of the pages are");
}

/// Each call takes 4 ms of way and 10 ms of work.
#[test]
fn calls_come_one_after_the_other_or_together() {
    let took = |calls: &str| {
        let nodes = format!(
            r#""user": Host(), "root": Server(calls: {calls}),
            "one": Server(service: "10ms"), "two": Server(service: "10ms"),"#
        );
        // The second page finds all connections open.
        let traffic = r#""page": Http(from: "user", to: "http://root/", arrivals: At(["0s", "1s"])),"#;
        let (outcome, traffic) = run(&nodes, traffic, "5s");
        assert_eq!(outcome.traffic["page"].counts.ok, 2);
        let page = traffic.iter().find(|traffic| traffic.plan.name == "page").unwrap();
        page.samples.as_slice()[1].latency.as_millis_f64()
    };
    let near = |got: f64, want: f64| assert!((got - want).abs() < 0.1, "{got} ms, want {want} ms");
    near(took(r#"[(to: "http://one/"), (to: "http://two/")]"#), 4.0 + 14.0 + 14.0);
    near(took(r#"Parallel([(to: "http://one/"), (to: "http://two/")])"#), 4.0 + 14.0);
    near(took(r#"[(to: "http://one/"), Parallel([(name: "again", to: "http://one/"), (to: "http://two/")])]"#), 32.0);
    // Two at once of a server with one worker.
    near(took(r#"[(to: "http://one/", count: 2), (to: "http://two/", optional: true)]"#), 4.0 + 24.0 + 14.0);
}

#[test]
fn a_call_that_fails_decides_the_answer_unless_it_is_optional() {
    let status = |call: &str, db: &str| {
        let nodes = format!(r#""user": Host(), "root": Server(calls: [(to: "http://db/", {call})]), "db": {db},"#);
        let traffic = r#""page": Http(from: "user", to: "http://root/"),"#;
        let (outcome, _) = run(&nodes, traffic, "40s");
        let page = &outcome.traffic["page"];
        (page.counts.ok, outcome.traffic["root-db"].counts.failed_by.keys().cloned().collect::<Vec<_>>().join(" "))
    };
    let broken = r#"Server(routes: [(path: "*", status: 500)])"#;
    let slow = r#"Server(service: "1s")"#;
    assert_eq!(status(r#"timeout: "2s""#, slow), (1, String::new()));
    assert_eq!(status(r#"timeout: "500ms""#, slow), (0, "timeout".into()));
    assert_eq!(status(r#"timeout: "500ms", optional: true"#, slow), (1, "timeout".into()));
    assert_eq!(status("optional: false", broken), (0, "status".into()));
    assert_eq!(status("optional: true", broken), (1, "status".into()));
}

/// A thread per connection: the queue is full with three, further connections wait in the backlog and those beyond it are dropped there.
#[test]
fn a_server_that_lets_nobody_in_leaves_connections_to_the_backlog() {
    let nodes = r#""user": Host(), "shop": Server(service: "100ms", queue: 2, overflow: Wait, backlog: 4),"#;
    let traffic =
        r#""page": Http(from: "user", to: "http://shop/", arrivals: Every("1ms"), count: 20, connection: Fresh),"#;
    let (outcome, traffic) = run(nodes, traffic, "30s");
    assert_eq!(outcome.traffic["page"].counts.ok, 20, "nobody is turned away for good");
    let page = &traffic[0];
    let connects: Vec<u64> =
        (0..20).map(|index| page.budget(index).of(lightlag::observe::Phase::Connect).as_millis()).collect();
    assert!(connects.iter().any(|&ms| ms >= 900), "some handshakes are repeated after a second: {connects:?}");
    assert!(outcome.servers["shop"].turned_away.is_empty());
}

#[test]
fn wrong_servers_and_calls_are_told_where_they_stand() {
    let codes = |nodes: &str, traffic: &str| -> Vec<String> {
        said(nodes, traffic).iter().map(|d| format!("{}: {}", d.code.name(), d.message)).collect()
    };
    let page = r#""page": Http(from: "user", to: "http://a/"),"#;
    let circle = r#""user": Host(), "a": Server(calls: [(to: "http://b/")]), "b": Server(calls: [(to: "http://a/")]),"#;
    assert_eq!(codes(circle, page), ["contradiction: this call leads back to itself"]);
    // A path on which nothing is asked breaks the circle.
    let open = r#""user": Host(), "a": Server(calls: [(to: "http://b/")]),
        "b": Server(calls: [(to: "http://a/x")], service: "1ms"),"#;
    let open = open.replace(
        "Server(calls: [(to: \"http://b/\")])",
        "Server(calls: [(to: \"http://b/\")], routes: [(path: \"/x\", calls: [])])",
    );
    assert_eq!(codes(&open, page), [""; 0]);
    let own = r#""user": Host(), "a": Server(calls: [(to: "http://a/")]),"#;
    assert_eq!(codes(own, page), ["contradiction: `a` would ask itself"]);
    let twice = r#""user": Host(), "a": Server(calls: [(to: "http://b/"), (to: "http://b/")]), "b": Server(),"#;
    assert_eq!(codes(twice, page), ["duplicate-name: traffic called `a-b` is there already"]);
    let idle = r#""user": Host(), "a": Server(cores: 2, workers: 2, service: "1ms", overflow: Reset),"#;
    assert_eq!(
        codes(idle, page),
        [
            "no-effect: `cores` has no effect: no more requests are worked on than there are `workers`, each with its core",
            "no-effect: `overflow` has no effect: any number of requests may wait; give the server a `queue`",
        ]
    );
    let policy = |policy: &str| {
        let page = format!(r#""page": Http(from: "user", to: "http://a/", {policy}),"#);
        codes(r#""user": Host(), "a": Server(),"#, &page)
    };
    assert_eq!(
        policy(r#"timeout: "1s", try_timeout: "2s""#),
        ["no-effect: `try_timeout` has no effect: a request is given up after 1.00 s anyway (`timeout`)"]
    );
    assert_eq!(policy("retry: (attempts: 1)"), ["out-of-range: `attempts` (tries in all) cannot be 1"]);
    assert_eq!(
        policy(r#"retry: (attempts: 2, on: ["timeot"])"#),
        ["unknown-variant: nothing that is worth another try is called `timeot`"]
    );
    assert_eq!(
        policy(r#"retry: (attempts: 2, backoff: Exponential(first: "2s", max: "1s"))"#),
        ["contradiction: the first wait is longer than the longest"]
    );
    assert_eq!(
        policy(r#"breaker: (window: 5, minimum: 9, open_for: "1s")"#),
        ["contradiction: the window never holds the minimum of outcomes"]
    );
    assert_eq!(policy(r#"hedge: (after: "100%")"#), ["out-of-range: 100% is no percentile"]);
    let unmet: Vec<String> = policy("idempotency_key: true, pays: 100");
    assert_eq!(unmet.len(), 2, "{unmet:?}");
    assert!(unmet[0].contains("nobody who is asked remembers keys") && unmet[1].contains("takes money"), "{unmet:?}");
    // What follows from an error is not told beside it.
    let wrong = policy("idempotency_key: true, pays: 100, conditional: true");
    assert_eq!(wrong, ["contradiction: a GET changes nothing"]);
    let server = |fields: &str| {
        let nodes = format!(r#""user": Host(), "a": Server(service: "1ms", {fields}),"#);
        codes(&nodes, page)
    };
    assert_eq!(
        server(r#"shed: (target: "1s", interval: "100ms")"#),
        ["contradiction: patience is to become shorter in a queue that stands"]
    );
    assert_eq!(server("concurrency: Gradient(min: 50)"), ["contradiction: the limit cannot start outside its range"]);
    assert_eq!(server("concurrency: Aimd"), ["missing-field: an `Aimd` needs `latency`"]);
}

/// Everything by which a try can come to nothing: loss both ways, slow answers, a queue that overflows; and what was charged.
fn payments(seed: u64, loss: u32, key: bool, overflow: &str) -> (u64, u64, u64) {
    let source = format!(
        r#"Scenario(seed: {seed}, run_for: "60s",
            nodes: {{ "shop": Host(), "bank": Server(workers: 3, queue: 2, overflow: {overflow}, idempotency: "1h", service: Exponential("60ms"),
                routes: [(path: "/pay", charges: true)]) }},
            links: [(between: ("shop", "bank"), rate: "10Mbps", delay: "10ms", loss: "{loss}%")],
            traffic: {{ "pay": Http(from: "shop", to: "http://bank/pay", method: "POST", pays: 100, arrivals: Poisson("20/s"), count: 200,
                connection: Pool(20), try_timeout: "150ms", timeout: "5s", idempotency_key: {key},
                retry: (attempts: 20, backoff: Exponential(first: "10ms", max: "1s", jitter: Full)), hedge: "100ms") }})"#
    );
    let (plan, _) = parse(&source, "pay").unwrap_or_else(|errors| panic!("{errors:#?}"));
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    let (outcome, _) = simulation.outcome(Performance::default(), Vec::new());
    let pay = &outcome.traffic["pay"];
    let counts = &pay.counts;
    assert_eq!(counts.started, counts.ok + counts.failed + counts.unfinished);
    let paid = pay.payments.unwrap();
    // Whoever was told that it worked was charged.
    assert!(paid.owed_cents >= counts.ok * 100, "{paid:?}");
    assert_eq!(paid.charged_cents, paid.owed_cents + paid.charged_again * 100);
    (paid.charges, paid.charged_again, counts.ok)
}

#[test]
fn no_payment_with_a_key_is_ever_charged_twice() {
    for seed in 1..=8 {
        for (loss, overflow) in [(0, "Reject503"), (5, "Reset"), (15, "Reject503"), (30, "Wait")] {
            let (charges, again, ok) = payments(seed, loss, true, overflow);
            assert_eq!(again, 0, "seed {seed}, {loss} % lost, {charges} charges for {ok} payments");
            assert!(ok > 0);
        }
    }
    // Without a key the same retries charge many twice.
    let (_, again, _) = payments(1, 5, false, "Reject503");
    assert!(again > 20, "{again}");
}
