//! Edges: hit ratios that theory knows, one fetch for a herd, nothing older than the rules allow, variants apart, purges that last.

use lightlag::app::http1::{self, Ask, HeadSize, Method, Reader};
use lightlag::base::{Rng, Span, Time};
use lightlag::observe::{Cases, Phase, Pick};
use lightlag::run::outcome::Performance;
use lightlag::run::{Observer, Outcome, Simulation};
use lightlag::scenario::build::{lay_out, world};
use lightlag::scenario::{Plan, parse};
use lightlag::trace::{CacheEvent, CacheRecord, Changed, Handling, Mask, Record, Request, Served};
use lightlag::wire::Payload;
use proptest::prelude::*;
use std::cell::RefCell;
use std::fmt::Write;
use std::net::SocketAddrV4;
use std::rc::Rc;

/// What edges told.
#[derive(Default)]
struct Told {
    served: Vec<(u32, Time, Served)>,
    fetched: Vec<Request>,
    purged: Vec<(u32, Time)>,
    changed: Vec<Changed>,
}

impl Observer for Told {
    fn mask(&self) -> Mask {
        Mask::TRAFFIC
    }

    fn record(&mut self, record: &Record) {
        match *record {
            Record::Cache(CacheRecord { node, time, event: CacheEvent::Served(served) }) => {
                self.served.push((node, time, served));
            }
            Record::Cache(CacheRecord { node, time, event: CacheEvent::Purged { .. } }) => {
                self.purged.push((node, time));
            }
            Record::Fetched(request) => self.fetched.push(request),
            Record::Changed(changed) => self.changed.push(changed),
            _ => {}
        }
    }
}

fn run(text: &str) -> (Outcome, Told) {
    let (plan, _) = parse(text, "test").unwrap_or_else(|faults| panic!("{faults:#?}"));
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    let mut told = Told::default();
    while simulation.step(&mut [&mut told]) {}
    (simulation.outcome(Performance::default(), Vec::new()).0, told)
}

/// The number of a node in the plan.
fn number(plan: &Plan, name: &str) -> u32 {
    (0..).zip(&plan.nodes).find(|(_, node)| node.name == name).unwrap().0
}

fn one_of<const N: usize>(names: [&'static str; N], rng: &mut Rng) -> &'static str {
    names[usize::try_from(rng.below(N as u64)).unwrap()]
}

/// Users 1 ms from an edge, that 20 ms from its origin. `edge` and `route` are what these say, `more` is the rest of the scenario.
fn site(edge: &str, route: &str, more: &str) -> (Outcome, Told) {
    run(&format!(
        r#"Scenario(run_for: "30s",
            nodes: {{
                "user": Host(), "office": Host(), "near": Router(), "far": Router(),
                "edge": Edge(to: "origin", {edge}),
                "origin": Server(routes: [(path: "/*", {route})]),
            }},
            links: [
                (between: ("user", "near"), rate: "10Gbps", delay: "1ms"),
                (between: ("edge", "near"), rate: "10Gbps", delay: "0ms"),
                (between: ("office", "far"), rate: "10Gbps", delay: "0ms"),
                (between: ("origin", "far"), rate: "10Gbps", delay: "0ms"),
                (between: ("near", "far"), rate: "10Gbps", delay: "20ms"),
            ],
            {more})"#
    ))
}

/// Che's approximation for LRU: an object stays for the time `t` in which as many different ones are asked for as there is room for.
fn che(objects: u32, exponent: f64, room: f64) -> f64 {
    let weights: Vec<f64> = (1..=objects).map(|rank| libm::pow(f64::from(rank), -exponent)).collect();
    let sum: f64 = weights.iter().sum();
    let here = |weight: f64, t: f64| 1.0 - libm::exp(-weight / sum * t);
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..200 {
        let t = f64::midpoint(low, high);
        let filled: f64 = weights.iter().map(|&weight| here(weight, t)).sum();
        *(if filled < room { &mut low } else { &mut high }) = t;
    }
    weights.iter().map(|&weight| weight / sum * here(weight, low)).sum()
}

/// Nine caches between a thirtieth and a third of all objects, three laws of popularity: within two points of what Che, Tung and Wang
/// (2002) say of LRU.
#[test]
fn hit_ratios_are_those_of_ches_approximation() {
    const OBJECTS: u32 = 600;
    const BODY: u64 = 1_000;
    // As the origin's head is: the fields of every answer, and what the route says.
    let mut head = http1::answer(200, BODY, false, Time::ZERO);
    head.fields.push("Cache-Control", "max-age=9999");
    let bytes = BODY + head.encode().len() as u64;
    let (mut nodes, mut links, mut traffic) = (String::new(), String::new(), String::new());
    let mut cases = Vec::new();
    for (index, room) in [20_u64, 60, 200].into_iter().enumerate() {
        for exponent in [0.6, 0.9, 1.2] {
            let name = format!("{index}-{exponent}");
            let cache = room * bytes;
            let _ = write!(nodes, r#""user-{name}": Host(), "edge-{name}": Edge(to: "origin", cache: "{cache}B"),"#);
            let _ = write!(
                links,
                r#"(between: ("user-{name}", "edge-{name}"), rate: "10Gbps", delay: "10us"),
                   (between: ("edge-{name}", "core"), rate: "10Gbps", delay: "10us"),"#
            );
            let _ = write!(
                traffic,
                r#""{name}": Http(from: "user-{name}", to: "http://edge-{name}/", head: "100B", connection: Pool(100),
                    catalogue: (count: {OBJECTS}, popularity: Zipf({exponent})), arrivals: Poisson("1000/s")),"#
            );
            cases.push((format!("edge-{name}"), exponent, room as f64));
        }
    }
    let text = format!(
        r#"Scenario(run_for: "12s", nodes: {{ "core": Router(), {nodes}
            "origin": Server(routes: [(path: "/*", response: "{BODY}B", cache_control: "max-age=9999")]) }},
            links: [(between: ("origin", "core"), rate: "10Gbps", delay: "10us"), {links}], traffic: {{ {traffic} }})"#
    );
    let (plan, _) = parse(&text, "che").unwrap();
    let (_, told) = run(&text);
    for (edge, exponent, room) in cases {
        let node = number(&plan, &edge);
        // Full by then.
        let warm = Time::ZERO + Span::from_secs(2);
        let seen = told.served.iter().filter(|(other, time, _)| *other == node && *time >= warm);
        let hits: Vec<bool> = seen.map(|(.., served)| served.handling == Handling::Hit).collect();
        let measured = hits.iter().filter(|&&hit| hit).count() as f64 / hits.len() as f64;
        let expected = che(OBJECTS, exponent, room);
        assert!(hits.len() > 9_000);
        assert!((measured - expected).abs() < 0.02, "{edge}: {measured:.3}, Che {expected:.3}");
    }
}

/// A crawler goes through everything while users ask for what is popular.
#[test]
fn a_scan_costs_s3_fifo_less_than_lru() {
    let ratio = |eviction: &str| {
        let traffic = r#"traffic: {
            "users": Http(from: "user", to: "http://edge/", catalogue: (count: 1000, popularity: Zipf(1.0)), arrivals: Poisson("300/s"), connection: Pool(100)),
            "crawler": Http(from: "office", to: "http://edge/", catalogue: (count: 100000, popularity: Scan), arrivals: Every("3ms"), connection: Pool(100)),
        }"#;
        let edge = format!(r#"cache: "130kB", eviction: {eviction}"#);
        let (outcome, _) = site(&edge, r#"response: "1kB", cache_control: "max-age=9999""#, traffic);
        outcome.edges["edge"].hit_ratio.unwrap().get()
    };
    let (lru, s3_fifo) = (ratio("Lru"), ratio("S3Fifo"));
    // Half of all requests are the crawler's, who never hits.
    assert!(s3_fifo > lru + 0.03, "{s3_fifo} against {lru}");
}

/// Many want what is not there, at the same instant.
#[test]
fn a_herd_is_one_fetch() {
    for herd in [2_u16, 17, 60] {
        for coalesce in [true, false] {
            let instants = vec!["\"1s\""; usize::from(herd)].join(", ");
            let herd = u64::from(herd);
            let traffic = format!(
                r#"traffic: {{ "herd": Http(from: "user", to: "http://edge/hot", arrivals: At([{instants}]), connection: Pool(100)) }}"#
            );
            let (outcome, _) =
                site(&format!("coalesce: {coalesce}"), r#"response: "50kB", cache_control: "max-age=60""#, &traffic);
            let (edge, origin) = (&outcome.edges["edge"], &outcome.servers["origin"]);
            let fetches = if coalesce { 1 } else { herd };
            assert_eq!((edge.fetches, origin.answered), (fetches, fetches), "{herd}, {coalesce}");
            assert_eq!((edge.misses, edge.coalesced), (fetches, herd - fetches));
            assert_eq!(outcome.traffic["herd"].counts.ok, herd);
            assert_eq!(edge.bytes_sent, herd * 50_000);
        }
    }
}

/// Nobody is there to fetch from: those who share the failure ask once, those who retry ask one after the other.
#[test]
fn a_failed_fetch_is_shared_or_tried_again() {
    for (failed, fetches) in [("Share", 1), ("Retry", 10)] {
        let instants = ["\"1s\""; 10].join(", ");
        let more = format!(
            r#"traffic: {{ "herd": Http(from: "user", to: "http://edge/hot", arrivals: At([{instants}]), connection: Pool(100)) }},
               faults: [Crash(node: "origin", how: Reset, at: "500ms")]"#
        );
        let (outcome, told) = site(&format!("coalesce: (failed: {failed})"), r#"cache_control: "max-age=60""#, &more);
        assert_eq!(told.fetched.len(), fetches, "{failed}");
        assert_eq!((outcome.edges["edge"].failed, outcome.traffic["herd"].counts.failed), (10, 10));
    }
}

/// However many edges there are, a shield asks the origin once for each object and each lifetime.
#[test]
fn a_shield_asks_once_for_each_object_and_lifetime() {
    for edges in [1, 4, 8] {
        let text = format!(
            r#"Scenario(run_for: "21s",
                nodes: {{
                    "user": Host(count: {edges}), "core": Router(),
                    "edge": Edge(count: {edges}, to: "shield"), "shield": Edge(to: "origin"),
                    "origin": Server(routes: [(path: "/*", cache_control: "max-age=5", versions: true)]),
                }},
                links: [
                    (between: ("user", "edge"), rate: "1Gbps", delay: "1ms"), (between: ("edge", "core"), rate: "1Gbps", delay: "20ms"),
                    (between: ("shield", "core"), rate: "1Gbps", delay: "1ms"), (between: ("origin", "core"), rate: "1Gbps", delay: "30ms"),
                ],
                traffic: {{ "pages": Http(from: "user", to: "http://edge/", catalogue: (count: 10), arrivals: Poisson("50/s"), until: "20s", connection: Pool(50)) }})"#
        );
        let (outcome, told) = run(&text);
        let shield = &outcome.edges["shield"];
        // 20 s hold four lifetimes of 5 s.
        assert_eq!(outcome.servers["origin"].answered, shield.fetches);
        assert!((30..=40).contains(&shield.fetches), "{edges}: {}", shield.fetches);
        // All but the first fetch of each object find it unchanged, and bring no body.
        assert_eq!((shield.validated, shield.bytes_fetched), (shield.fetches - 10, 10 * 1_024));
        let without_body = told.fetched.iter().filter(|fetch| fetch.status == 304).all(|fetch| fetch.body == 0);
        assert!(without_body);
        let asked: u64 =
            outcome.edges.iter().filter(|(name, _)| name.starts_with("edge")).map(|(_, edge)| edge.fetches).sum();
        assert_eq!(shield.requests, asked);
    }
}

/// A 304 has no body: what goes over the line to the origin is heads.
#[test]
fn validation_transfers_no_body() {
    let traffic = r#"traffic: { "page": Http(from: "user", to: "http://edge/", arrivals: Every("1s"), count: 20) }"#;
    let bytes = |versions: bool| {
        let route = format!(r#"response: "1MB", cache_control: "no-cache", versions: {versions}"#);
        let (outcome, _) = site("", &route, traffic);
        assert_eq!(outcome.traffic["page"].useful_bytes, 20_000_000);
        (outcome.links["near-far"].b_to_a.bytes, outcome.edges["edge"].clone())
    };
    let ((validated, edge), (whole, _)) = (bytes(true), bytes(false));
    assert_eq!((edge.revalidated, edge.validated, edge.misses), (19, 19, 1));
    assert!(validated < 1_100_000 && whole > 20_000_000, "{validated}, {whole}");
}

/// Errors are asked for once in the time for which they are remembered.
#[test]
fn errors_are_remembered_for_their_own_time() {
    let traffic =
        r#"traffic: { "gone": Http(from: "user", to: "http://edge/", arrivals: Every("100ms"), until: "20s") }"#;
    for (status, negative, most) in
        [(404, r#"negative: "5s""#, 5), (503, r#"negative: (errors: "2s")"#, 11), (404, "", 200)]
    {
        let (outcome, _) = site(negative, &format!("status: {status}"), traffic);
        let edge = &outcome.edges["edge"];
        assert!(edge.fetches <= most && edge.fetches + 1 >= most, "{status}, {negative}: {}", edge.fetches);
        assert_eq!(edge.negative + edge.misses, 200);
        assert_eq!(outcome.traffic["gone"].counts.failed, 200);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the origin allows, however often it changes and whenever it fails: nothing is older than that, by the edge's own account and by
    /// that of somebody who knows when the origin changed.
    #[test]
    fn nothing_is_served_past_its_time(
        max_age in 0..6_u64, while_revalidating in 0..4_u64, on_error in 0..10_u64, strict in 0..4_u8,
        edits in 100..4_000_u64, fails in 5_000..20_000_u64, seed in 0..1_000_u64,
    ) {
        let more = ["", ", must-revalidate", ", no-cache", ", s-maxage=2"][usize::from(strict)];
        let route = format!(
            r#"versions: true, cache_control: "max-age={max_age}, stale-while-revalidate={while_revalidating}, stale-if-error={on_error}{more}""#
        );
        let rest = format!(
            r#"seed: {seed},
            traffic: {{
                "page": Http(from: "user", to: "http://edge/", catalogue: (count: 3), arrivals: Poisson("40/s"), connection: Pool(50)),
                "edit": Http(from: "office", to: "http://origin/", method: "PUT", conditional: true, catalogue: (count: 3), arrivals: Poisson("{}.{:03}/s"), connection: Pool(20), timeout: "2s"),
            }},
            faults: [Crash(node: "origin", how: Silence, at: "{fails}ms", for: "6s")]"#,
            edits / 1_000,
            edits % 1_000,
        );
        let (_, told) = site(r#"timeout: "500ms""#, &route, &rest);
        let secs = Span::from_secs;
        let lifetime = secs(if strict == 3 { 2 } else { max_age });
        let strictly = strict == 1 || strict == 2;
        let (swr, sie) = if strictly { (0, 0) } else { (while_revalidating, on_error) };
        prop_assert!(!told.served.is_empty());
        for (_, time, served) in &told.served {
            let oldest = match served.handling {
                Handling::Hit if strict == 2 => Span::ZERO,
                Handling::Hit => lifetime,
                Handling::Stale => lifetime + secs(swr),
                Handling::StaleOnError => lifetime + secs(sie),
                // On its way from the origin just now.
                _ => Span::from_millis(600),
            };
            prop_assert!(served.age <= oldest || served.handling == Handling::Coalesced, "{:?} at {}", served, time);
            // The origin's own account: since when is there a later version?
            let replaced = told.changed.iter().filter(|change| change.path == served.path && Some(change.version) > served.version);
            if let Some(since) = replaced.map(|change| change.time).filter(|since| since < time).min() {
                // A crash makes the origin forget its versions.
                let remembers = *time < Time::ZERO + Span::from_millis(fails);
                let most = oldest.max(Span::from_millis(600));
                prop_assert!(!remembers || *time - since <= most, "{:?} at {}, replaced at {}", served, time, since);
            }
        }
    }
}

/// Two edges behind a shield, an origin that takes half a second: whatever is under way when a purge comes, no edge serves the old version
/// once it has carried it out.
#[test]
fn a_purge_lasts() {
    for purge in ["10.1s", "10.35s", "10.6s", "11.3s"] {
        let text = format!(
            r#"Scenario(run_for: "20s",
                nodes: {{
                    "user": Host(count: 2), "office": Host(), "core": Router(), "control": PurgeControl(edges: ["edge", "shield"]),
                    "edge": Edge(count: 2, to: "shield"), "shield": Edge(to: "origin"),
                    "origin": Server(workers: 8, service: "500ms", routes: [(path: "/*", cache_control: "max-age=3600", versions: true)]),
                }},
                links: [
                    (between: ("user", "edge"), rate: "1Gbps", delay: "1ms"), (between: ("edge", "core"), rate: "1Gbps", delay: "40ms"),
                    (between: ("shield", "core"), rate: "1Gbps", delay: "1ms"), (between: ("origin", "core"), rate: "1Gbps", delay: "10ms"),
                    (between: ("office", "core"), rate: "1Gbps", delay: "1ms"), (between: ("control", "core"), rate: "1Gbps", delay: "5ms"),
                ],
                traffic: {{
                    "page": Http(from: "user", to: "http://edge/a", arrivals: Poisson("50/s"), connection: Pool(90)),
                    "edit": Http(from: "office", to: "http://origin/a", method: "PUT", conditional: true, arrivals: At(["9.5s"])),
                    "first": Http(from: "office", to: "http://control/a", method: "PURGE", arrivals: At(["9.4s"])),
                    "purge": Http(from: "office", to: "http://control/*", method: "PURGE", arrivals: At(["{purge}"])),
                }})"#
        );
        let (outcome, told) = run(&text);
        let last = &outcome.purges[1];
        assert_eq!(last.edges_ns.len(), 3, "{purge}");
        let changed = told.changed[0].time;
        assert!(changed > Time::ZERO + Span::from_secs(10));
        for (node, time, served) in &told.served {
            let applied = told.purged.iter().filter(|(edge, at)| edge == node && at <= time).map(|(_, at)| *at).max();
            if applied.is_some_and(|at| at > changed) {
                assert_eq!(served.version, Some(2), "{purge}: {served:?} at {time}");
            }
        }
        // The shield is told first: 6 ms to it, as much back; then the edges, 45 ms away.
        let of = |edge: &str| last.edges_ns[edge] / 1_000_000;
        assert!(of("shield") < 25 && (50..130).contains(&of("edge/1")), "{purge}: {:?}", last.edges_ns);
        assert_eq!(outcome.traffic["purge"].counts.ok, 1);
    }
}

/// What is asked for while another variant's body is coming is fetched once for itself, and shared by those who want the same.
#[test]
fn variants_that_are_asked_for_at_once_are_fetched_once_each() {
    let asks = ["a", "b", "a", "b", "c"].iter().zip(0..).fold(String::new(), |all, (group, n)| {
        all + &format!(
            r#""{n}": Http(from: "u", to: "http://e/x", start: "{}ms", headers: {{"X-Group": "{group}"}}),"#,
            n * 4
        )
    });
    for size in ["0B", "1kB", "2kB", "200kB"] {
        let (outcome, _) = run(&format!(
            r#"Scenario(run_for: "10s", nodes: {{ "u": Host(), "e": Edge(to: "o"),
                "o": Server(routes: [(path: "/*", response: "{size}", cache_control: "max-age=600", vary: "X-Group")]) }},
            links: [(between: ("u", "e"), delay: "1ms"), (between: ("e", "o"), rate: "20Mbps", delay: "10ms")],
            traffic: {{ {asks} }})"#
        ));
        let edge = &outcome.edges["e"];
        assert_eq!((edge.requests, edge.fetches), (5, 3), "{size}: one for each of the three variants");
        assert!(outcome.traffic.values().all(|traffic| traffic.counts.ok == 1));
    }
}

/// An error that comes with a body fails whoever waited for it once, and not for ever.
#[test]
fn a_failed_fetch_is_not_waited_for_twice() {
    let (outcome, _) = run(r#"Scenario(run_for: "10s", nodes: { "u": Host(count: 3),
            "e": Edge(to: "o", negative: (not_found: "2s", errors: "2s"), coalesce: (failed: Retry)),
            "o": Server(routes: [(path: "/*", response: "2kB", status: 500)]) },
        links: [(between: ("u", "e"), delay: "1ms"), (between: ("e", "o"), delay: "10ms")],
        traffic: { "a": Http(from: "u", to: "http://e/a") })"#);
    let edge = &outcome.edges["e"];
    assert_eq!((edge.requests, outcome.traffic["a"].counts.failed), (3, 3));
    assert!((2..=3).contains(&edge.fetches), "{} fetches", edge.fetches);
}

/// Who speaks which language gets what is meant for it, from the edge as from the origin; and the answers say where they are from.
#[test]
fn variants_are_never_mixed() {
    let text = r#"Scenario(run_for: "30s",
        nodes: { "user": Host(), "edge": Edge(to: "origin", cache: "31kB"),
            "origin": Server(routes: [(path: "/*", cache_control: "max-age=3", versions: true, vary: ["Accept-Language", "X-Device"])]) },
        links: [(between: ("user", "edge"), rate: "1Gbps", delay: "1ms"), (between: ("edge", "origin"), rate: "1Gbps", delay: "5ms")],
        traffic: { "echo": Ping(from: "user", to: "edge") })"#;
    let (plan, _) = parse(text, "vary").unwrap();
    let network = lay_out(&plan).unwrap();
    let node = |name: &str| number(&plan, name);
    let mut world = world(&plan, &network, 1, Mask::NONE);
    let edge = SocketAddrV4::new(network.address(node("edge")), 80);
    let seen: Rc<RefCell<Vec<(String, String, String)>>> = Rc::default();
    let sink = Rc::clone(&seen);
    world.spawn(node("user"), |host| async move {
        let mut rng = host.rng("variants");
        for number in 0..1_200_u32 {
            let (language, device) = (one_of(["de", "en", "fr"], &mut rng), one_of(["phone", "desk"], &mut rng));
            let target = format!("/{}", rng.below(4));
            let fields = [("Accept-Language", language), ("X-Device", device)];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let (method, size) = (Method::Get, HeadSize::Browser);
            let ask = Ask { method, target: &target, host: "edge", body: 0, close: true, size, fields: &fields };
            let head = ask.head();
            let (program, sink) = (host.clone(), Rc::clone(&sink));
            drop(host.spawn(async move {
                let stream = program.connect(edge).await.unwrap();
                stream.write(Payload::real(head.encode())).await.unwrap();
                let answer = Reader::new().response(&stream, Method::Get).await.unwrap();
                let field = |name: &str| String::from_utf8(answer.head.fields.get(name).unwrap().to_vec()).unwrap();
                sink.borrow_mut().push((format!("{language} {device}"), field("etag"), field("cache-status")));
            }));
            // Some come together.
            if number % 8 == 0 {
                host.sleep(Span::from_millis(100)).await;
            }
        }
    });
    while world.advance(Time::ZERO + Span::from_secs(30), 10_000) {}
    let seen = seen.borrow();
    assert_eq!(seen.len(), 1_200);
    let mut tags: Vec<(&str, &str)> = seen.iter().map(|(variant, etag, _)| (variant.as_str(), etag.as_str())).collect();
    tags.sort_unstable();
    tags.dedup();
    // Six variants, each with the one tag that the origin has for it.
    assert_eq!(tags.len(), 6, "{tags:?}");
    let of = |what: &str| seen.iter().filter(|(.., status)| status.contains(what)).count();
    let ways =
        ["\"edge\"; hit; ttl=", "collapsed", "fwd=uri-miss; fwd-status=200; stored", "fwd=stale; fwd-status=304"]
            .map(of);
    assert!(ways.iter().all(|&times| times >= 10), "{ways:?}");
}

/// What is changed through an edge is forgotten there; what sets out from elsewhere is not.
#[test]
fn a_change_through_the_edge_takes_the_stored_answer_with_it() {
    let outdated = |through: &str| {
        let more = format!(
            r#"traffic: {{
                "page": Http(from: "user", to: "http://edge/a", arrivals: Every("100ms")),
                "edit": Http(from: "office", to: "http://{through}/a", method: "PUT", conditional: true, arrivals: At(["10s"])),
            }}"#
        );
        site("", r#"cache_control: "max-age=5", versions: true"#, &more).0.edges["edge"].outdated
    };
    assert_eq!(outdated("edge"), 0);
    // Up to five seconds, ten times a second.
    assert!((1..=50).contains(&outdated("origin")));
}

/// Each level of caches has its own account, to the nanosecond, and lies within the time that the one before it waited.
#[test]
fn fetches_behind_fetches_are_divided_exactly() {
    let text = r#"Scenario(run_for: "20s",
        nodes: { "user": Host(), "core": Router(), "edge": Edge(to: "shield"), "shield": Edge(to: "origin"),
            "origin": Server(service: "30ms", workers: 4, routes: [(path: "/*", response: "60kB", cache_control: "max-age=2", versions: true)]) },
        links: [
            (between: ("user", "edge"), rate: "1Gbps", delay: "1ms"), (between: ("edge", "core"), rate: "1Gbps", delay: "20ms", loss: "1%"),
            (between: ("shield", "core"), rate: "1Gbps", delay: "1ms"), (between: ("origin", "core"), rate: "1Gbps", delay: "10ms"),
        ],
        traffic: { "pages": Http(from: "user", to: "http://edge/", catalogue: (count: 40, popularity: Zipf(0.8)), arrivals: Poisson("40/s"), connection: Pool(50)) })"#;
    let (plan, _) = parse(text, "levels").unwrap();
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    let mut reader = Reading(Cases::new(0));
    while simulation.step(&mut [&mut reader]) {}
    let mut cases = reader.0;
    cases.finish();
    let mut levels = [0; 3];
    for number in 0..500 {
        let Some(case) = cases.pick(Pick::Number(number)) else { continue };
        let fetches = cases.fetches(case);
        levels[fetches.len()] += 1;
        let mut waited = case.budget().of(Phase::ServerCalls);
        for fetch in &fetches {
            assert_eq!(fetch.budget().total(), fetch.took, "{number}: {fetch:?}");
            assert!(fetch.shared || fetch.took <= waited, "{number}: {fetch:?} in {waited}");
            assert_eq!(fetch.budget().of(Phase::Unobserved), Span::ZERO);
            waited = fetch.budget().of(Phase::ServerCalls);
        }
    }
    // What is fresh at the edge, and what is fresh nowhere: a shield of one edge has nothing that the edge has not.
    assert!(levels[0] > 5 && levels[2] > 5, "{levels:?}");
}

struct Reading(Cases);

impl Observer for Reading {
    fn mask(&self) -> Mask {
        Mask::TRAFFIC
    }

    fn record(&mut self, record: &Record) {
        self.0.record(record);
    }
}
