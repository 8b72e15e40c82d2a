use crate::base::{BitRate, Dist, Ratio, Span, Time};
use crate::link::loss;
use crate::link::queue::{self, Limit};
use crate::scenario::plan::{Length, NodeKind, Origin, Plan, TrafficKind};
use crate::scenario::{Code, Diagnostic, parse};
use crate::service::bulk::{Amount, Direction};
use crate::service::client::{Arrivals, Connections};

/// The plan of a scenario with these nodes, links and traffic.
fn plan(nodes: &str, links: &str, traffic: &str) -> Plan {
    let text = format!("Scenario(nodes: {{{nodes}}}, links: [{links}], traffic: {{{traffic}}})");
    parse(&text, "test").unwrap_or_else(|all| panic!("{all:#?}")).0
}

fn diagnostics(nodes: &str, links: &str, traffic: &str) -> Vec<Diagnostic> {
    let text = format!("Scenario(nodes: {{{nodes}}}, links: [{links}], traffic: {{{traffic}}})");
    parse(&text, "test").map_or_else(|all| all, |(_, warnings)| warnings)
}

fn codes(nodes: &str, links: &str, traffic: &str) -> Vec<Code> {
    diagnostics(nodes, links, traffic).iter().map(|diagnostic| diagnostic.code).collect()
}

fn mbps(rate: u64) -> BitRate {
    BitRate::from_bps(rate * 1_000_000).unwrap()
}

const PING: &str = r#""p": Ping(from: "a", to: "b")"#;
const TWO: &str = r#""a": Host(), "b": Host()"#;
const LINK: &str = r#"(between: ("a", "b"), delay: "1ms")"#;

#[test]
fn a_link_between_places_is_as_long_as_the_great_circle_times_its_stretch() {
    let places = r#""a": Host(at: "New York"), "b": Host(at: "London")"#;
    let straight = plan(places, r#"(between: ("a", "b"))"#, PING);
    let stretched = plan(places, r#"(between: ("a", "b"), stretch: 1.5)"#, PING);
    let delay = |plan: &Plan| plan.links[0].directions[0].delay;
    assert!((Span::from_micros(27_800)..Span::from_micros(28_000)).contains(&delay(&straight)));
    assert!((delay(&stretched).as_secs_f64() / delay(&straight).as_secs_f64() - 1.5).abs() < 1e-6);
    let Length::Metres { metres, .. } = straight.links[0].length else { panic!("{:?}", straight.links[0]) };
    assert_eq!(Some(metres), straight.links[0].geodesic);
}

#[test]
fn a_given_distance_needs_no_places() {
    let plan = plan(TWO, r#"(between: ("a", "b"), distance: "5600km")"#, PING);
    assert_eq!(plan.links[0].directions[1].delay, Span::from_millis(28));
}

#[test]
fn an_access_profile_shapes_both_directions_and_adds_its_delay() {
    let nodes = r#""a": Host(access: "cable"), "b": Host()"#;
    let plan = plan(nodes, r#"(between: ("a", "b"), delay: "10ms")"#, PING);
    let [up, down] = &plan.links[0].directions;
    assert_eq!((up.rate, down.rate), (mbps(1), mbps(5)));
    assert_eq!((up.delay, down.delay), (Span::from_millis(24), Span::from_millis(24)));
    assert_eq!(down.queue, queue::Config::DropTail(Limit::Bytes(125_000)));
    assert_eq!(plan.links[0].access, [Span::from_millis(14); 2]);
}

#[test]
fn what_a_link_says_wins_over_the_access_profile() {
    let nodes = r#""a": Host(), "b": Host(access: "very-bad")"#;
    let plan = plan(nodes, r#"(between: ("a", "b"), rate: "9Mbps", b_to_a: (loss: "1%"))"#, PING);
    let [down, up] = &plan.links[0].directions;
    assert_eq!((down.rate, up.rate), (mbps(9), mbps(9)));
    let loss::Config::Iid(loss) = down.loss else { panic!("{:?}", down.loss) };
    assert!((loss.get() - 0.1).abs() < 1e-9);
    assert_eq!(up.loss, loss::Config::Iid(Ratio::new(0.01).unwrap()));
}

#[test]
fn one_direction_may_differ_in_one_thing() {
    let plan = plan(
        TWO,
        r#"(between: ("a", "b"), rate: "10Mbps", delay: "5ms", loss: "2%", a_to_b: (delay: "7ms"), b_to_a: (loss: "0%"))"#,
        PING,
    );
    let [there, back] = &plan.links[0].directions;
    assert_eq!((there.delay, back.delay), (Span::from_millis(7), Span::from_millis(5)));
    assert_eq!(there.loss, loss::Config::Iid(Ratio::new(0.02).unwrap()));
    assert_eq!(back.loss, loss::Config::None);
}

#[test]
fn groups_are_joined_in_equal_blocks_or_as_a_mesh() {
    let nodes = r#""a": Host(count: 6), "b": Router(count: 3), "c": Router(count: 2)"#;
    let links = r#"(between: ("a", "b"), delay: "1ms"), (between: ("b", "c"), delay: "1ms", mesh: true)"#;
    let plan = plan(nodes, links, r#""p": Ping(from: "a/1", to: "a/6")"#);
    let name = |node: u32| plan.nodes[node as usize].name.as_str();
    let ends: Vec<_> = plan.links.iter().map(|link| (name(link.a), name(link.b))).collect();
    let dealt = [("a/1", "b/1"), ("a/2", "b/1"), ("a/3", "b/2"), ("a/4", "b/2"), ("a/5", "b/3"), ("a/6", "b/3")];
    assert_eq!(ends[..6], dealt);
    assert_eq!(
        ends[6..],
        [("b/1", "c/1"), ("b/1", "c/2"), ("b/2", "c/1"), ("b/2", "c/2"), ("b/3", "c/1"), ("b/3", "c/2")]
    );
    assert_eq!(plan.links[0].name, "a/1-b/1");
}

#[test]
fn groups_that_cannot_be_dealt_out_say_so() {
    let nodes = r#""a": Host(count: 5), "b": Router(count: 3)"#;
    let all = codes(nodes, r#"(between: ("a", "b"), delay: "1ms")"#, r#""p": Ping(from: "a/1", to: "a/2")"#);
    assert_eq!(all, [Code::Contradiction]);
}

#[test]
fn a_permutation_pairs_nobody_with_itself_and_everybody_once() {
    let nodes = r#""h": Host(count: 50), "r": Router()"#;
    let bulk = r#""b": Bulk(from: "h", to: "h", pairing: Permutation, bytes: "1MB")"#;
    let plan = plan(nodes, r#"(between: ("h", "r"), delay: "1ms")"#, bulk);
    let mut pairs: Vec<_> = plan.traffic[0].pairs().collect();
    assert!(pairs.iter().all(|(from, to)| from != to));
    pairs.sort_by_key(|pair| pair.1);
    pairs.dedup_by_key(|pair| pair.1);
    assert_eq!(pairs.len(), 50);
}

#[test]
fn requests_read_as_they_are_written() {
    let nodes = r#""a": Host(), "b": Server(port: 8080)"#;
    let http = r#""p": Http(from: "a", to: "http://b:8080/x?y=1", arrivals: Poisson("50/s"), start: "2s", count: 7, method: "POST",
        body: "2kB", connection: Fresh, timeout: Never)"#;
    let plan = plan(nodes, LINK, http);
    let TrafficKind::Http(http) = &plan.traffic[0].kind else { panic!() };
    assert_eq!((http.port, &*http.path, http.method, http.body_bytes), (8080, "/x?y=1", "POST", 2_000));
    assert_eq!(http.arrivals, Arrivals::Poisson { mean_gap: Span::from_millis(20) });
    assert_eq!((http.limit.count, http.timeout, http.connections), (Some(7), None, Connections::PerRequest));
    assert_eq!(plan.traffic[0].start, Time::ZERO + Span::from_secs(2));
    assert_eq!(http.asks[0].origin, Origin::Node(1));
}

#[test]
fn bulk_without_an_amount_lasts_to_the_end_of_the_run() {
    let plan = plan(TWO, LINK, r#""p": Bulk(from: "a", to: "b", start: "20s", direction: Down)"#);
    let TrafficKind::Bulk(bulk) = &plan.traffic[0].kind else { panic!() };
    assert_eq!(bulk.amount, Amount::For(Span::from_secs(40)));
    assert_eq!((bulk.direction, bulk.flows), (Direction::Down, 1));
}

#[test]
fn the_mtu_of_a_host_is_the_smallest_of_its_links_unless_stated() {
    let links = r#"(between: ("a", "b"), delay: "1ms", mtu: 9000), (between: ("b", "c"), delay: "1ms", mtu: 1400)"#;
    let nodes = r#""a": Host(), "b": Router(), "c": Host(tcp: (mtu: 600, congestion: "reno"))"#;
    let plan = plan(nodes, links, r#""p": Ping(from: "a", to: "c")"#);
    let mtus: Vec<u32> = plan.nodes.iter().map(|node| node.tcp.mtu).collect();
    assert_eq!(mtus, [9000, 1400, 600]);
    assert_eq!((plan.nodes[0].tcp.congestion, plan.nodes[2].tcp.congestion), ("cubic", "reno"));
}

const NAMED: &str = r#""u": Host(at: "Sydney"), "v": Host(at: "Paris", resolver: "far"), "near": Resolver(at: "Sydney"),
    "far": Resolver(at: "London"), "ns": Authority(at: "London"), "r": Router(at: "Paris"), "s": Router(at: "Sydney"),
    "shop": Server(at: "London", count: 2)"#;
const JOINED: &str = r#"(between: ("u", "s")), (between: ("near", "s")), (between: ("s", "r")), (between: ("v", "r")),
    (between: ("far", "r")), (between: ("ns", "r")), (between: ("shop", "r"))"#;

/// The plan of two users and a shop with a zone.
fn shop(zone: &str, traffic: &str) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let zones = format!(r#"zones: {{ "shop.example": ({zone}) }}"#);
    parse(&format!("Scenario(nodes: {{{NAMED}}}, links: [{JOINED}], {zones}, traffic: {{{traffic}}})"), "test")
}

#[test]
fn a_host_asks_the_nearest_resolver_unless_it_names_one() {
    let traffic =
        r#""p": Http(from: "u", to: "http://shop.example/"), "q": Http(from: "v", to: "http://www.shop.example")"#;
    let (plan, warnings) =
        shop(r#"A: ["shop"], names: { "www": (CNAME: "shop.example", ttl: "5s") }"#, traffic).unwrap();
    assert_eq!(warnings, []);
    let node = |name: &str| plan.nodes.iter().position(|node| node.name == name).unwrap();
    let asks = |name: &str| {
        let resolvers = &plan.nodes[node(name)].resolvers;
        resolvers.iter().map(|&index| &*plan.nodes[index as usize].name).collect::<Vec<_>>()
    };
    assert_eq!((asks("u"), asks("v")), (vec!["near"], vec!["far"]));
    assert_eq!(plan.zones[0].records.len(), 3);
    assert_eq!(plan.nodes[node("ns")].kind, NodeKind::Authority { zones: vec![0] });
    // An alias leads to both members.
    assert_eq!(plan.traffic[1].pairs().count(), 2);
}

#[test]
fn a_ttl_has_whole_seconds() {
    let traffic = r#""p": Http(from: "u", to: "http://shop.example/"), "q": Ping(from: "v", to: "u")"#;
    assert!(shop(r#"A: "shop", ttl: "2s""#, traffic).is_ok());
    let errors = shop(r#"A: "shop", ttl: "2500ms""#, traffic).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), [Code::OutOfRange]);
}

#[test]
fn zones_need_somebody_who_knows_them_and_somebody_to_ask() {
    let text = r#"Scenario(nodes: { "a": Host(at: "Paris"), "b": Server() }, links: [(between: ("a", "b"), delay: "1ms")],
        zones: { "b.example": (A: ["b"]) }, traffic: { "p": Http(from: "a", to: "http://b.example/") })"#;
    let errors = parse(text, "test").unwrap_err();
    let help: Vec<&str> = errors.iter().filter_map(|error| error.help.as_deref()).collect();
    assert_eq!(help.len(), 2, "{errors:#?}");
    assert!(
        help[0].contains("\"ns\": Authority(at: \"Paris\")") && help[1].contains("\"dns\": Resolver(at: \"Paris\")")
    );
}

#[test]
fn hosts_do_not_forward() {
    let nodes = r#""a": Host(), "m": Router(), "b": Host()"#;
    let links = r#"(between: ("a", "m"), delay: "1ms"), (between: ("m", "b"), delay: "1ms")"#;
    assert_eq!(codes(nodes, links, PING), []);
    assert_eq!(codes(&nodes.replace("Router", "Host"), links, PING), [Code::Unreachable]);
}

#[test]
fn a_link_warns_just_above_its_rate() {
    // 1,222 bytes and 28 of headers every millisecond are 10 Mb/s.
    let messages = r#""m": Messages(from: "a", to: "b", over: Udp, size: "1222B", every: "1ms")"#;
    let link = |rate: &str| format!(r#"(between: ("a", "b"), delay: "1ms", rate: "{rate}")"#);
    assert_eq!(codes(TWO, &link("10Mbps"), messages), []);
    assert_eq!(codes(TWO, &link("9999kbps"), messages), [Code::Overload]);
}

#[test]
fn a_percentile_warns_just_below_ten_samples_beyond_it() {
    let text = |count: u32| {
        format!(
            r#"Scenario(nodes: {{{TWO}}}, links: [{LINK}], traffic: {{ "p": Ping(from: "a", to: "b", every: "10ms", count: {count}) }},
            expect: [Latency(of: "p", percentile: "99%", at_most: "3ms")])"#
        )
    };
    assert_eq!(parse(&text(1_000), "test").unwrap().1, []);
    let warnings = parse(&text(999), "test").unwrap().1;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, Code::TooFewSamples);
}

#[test]
fn light_warns_just_below_its_time() {
    let nodes = r#""a": Host(at: "0,0"), "b": Host(at: "0,1")"#;
    // A degree of the equator is 111,319 m, or 556,595 ns.
    let link = |delay: &str| format!(r#"(between: ("a", "b"), delay: "{delay}")"#);
    assert_eq!(codes(nodes, &link("556596ns"), PING), []);
    assert_eq!(codes(nodes, &link("556590ns"), PING), [Code::FasterThanLight]);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let all = diagnostics(
        r#""a": Host(at: "Lodon"), "b": Server(workres: 3)"#,
        r#"(between: ("a", "c"), rate: 5, loss: "120%")"#,
        r#""p": Htp(from: "a"), "q": Ping(from: "x", to: "b", every: "1parsec")"#,
    );
    let codes: Vec<Code> = all.iter().map(|diagnostic| diagnostic.code).collect();
    let expected = [
        Code::UnknownPlace,
        Code::UnknownField,
        Code::UnknownNode,
        Code::MissingUnit,
        Code::OutOfRange,
        // What is meant is looked at too: it asks nobody.
        Code::MissingField,
        Code::UnknownVariant,
        Code::UnknownNode,
        Code::UnknownUnit,
    ];
    assert_eq!(codes, expected, "{all:#?}");
}

#[test]
fn work_is_a_distribution() {
    let nodes = r#""a": Host(), "b": Server(service: LogNormal(median: "5ms", p99: "40ms"), workers: 4, queue: 10,
        routes: [(path: "/slow/*", service: Exponential("1s"), status: 503)])"#;
    let plan = plan(nodes, LINK, r#""p": Http(from: "a", to: "b")"#);
    let NodeKind::Server(server) = &plan.nodes[1].kind else { panic!() };
    assert_eq!(Some(server.service), Dist::log_normal(Span::from_millis(5), Span::from_millis(40)));
    assert_eq!(server.routes[0].service, Some(Dist::Exponential { mean: Span::from_secs(1) }));
    assert_eq!((server.workers, server.queue_limit, server.routes[0].status), (4, Some(10), 503));
}

/// What is said of a server and somebody who asks it.
fn said(nodes: &str, traffic: &str) -> Vec<String> {
    let links = r#"(between: ("a", "b"), delay: "1ms")"#;
    let all = diagnostics(&format!(r#""a": Host(), {nodes}"#), links, traffic);
    all.into_iter().map(|found| format!("{}: {}", found.code, found.message)).collect()
}

#[test]
fn what_is_none_or_off_is_not_there() {
    let asks = |more: &str| format!(r#""p": Http(from: "a", to: "http://b/", {more})"#);
    for (nodes, traffic) in [
        (r#""b": Server(count: None, idempotency: None, deadlines: false)"#, asks("")),
        (r#""b": Server()"#, asks("conditional: false, deadline: false, idempotency_key: false, cookies: false")),
        (r#""b": Server(routes: [(path: "/", calls: None, charges: false, vary: None)])"#, asks("count: None")),
        (r#""b": Server(overflow: None, cores: None)"#, asks("pays: None, tls: None")),
    ] {
        assert_eq!(said(nodes, &traffic), Vec::<String>::new(), "{nodes} {traffic}");
    }
    let group = diagnostics(
        r#""a": Host(), "b": Server(at: ["London", "Paris"], count: None)"#,
        r#"(between: ("a", "b"), delay: "1ms")"#,
        r#""p": Http(from: "a", to: "http://b/")"#,
    );
    assert!(group.iter().all(|found| !found.is_error()), "{group:?}");
}

#[test]
fn no_doubt_is_built_on_an_error() {
    // Beside the error itself: in the same entry, and in traffic where a node is wrong.
    for (nodes, traffic) in [
        (r#""b": Server(queue: 1.5, overflow: Reset, cores: 4)"#, r#""p": Http(from: "a", to: "http://b/")"#),
        (r#""b": Server(deadlines: 1)"#, r#""p": Http(from: "a", to: "http://b/", deadline: true)"#),
        (r#""b": Server()"#, r#""p": Http(from: "a", to: "http://b/", deadline: true, timeout: "1")"#),
    ] {
        let said = said(nodes, traffic);
        assert_eq!(said.len(), 1, "{said:?}");
    }
    // Doubts that depend on nothing that is wrong stand.
    let said = said(r#""b": Server(cores: 4)"#, r#""p": Http(from: "a", to: "http://b/", timeout: "1")"#);
    assert!(said.iter().any(|line| line.starts_with("no-effect: `cores`")), "{said:?}");
}
