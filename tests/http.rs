//! What HTTP carries beside bodies: header fields, cookies, sessions, over real packets from scenario text.

mod runs;

use lightlag::run::Simulation;
use lightlag::run::outcome::Performance;
use lightlag::scenario::build::lay_out;
use lightlag::scenario::{Diagnostic, parse};
use lightlag::trace::Mask;
use runs::run;

/// A scenario whose nodes all hang on one router, each a millisecond away.
fn scenario(nodes: &str, traffic: &str, more: &str) -> String {
    let kinds = ["Host(", "Server(", "Balancer(", "Store(", "Resolver(", "Authority("];
    let mut names: Vec<&str> = Vec::new();
    for (at, _) in
        nodes.match_indices("\": ").filter(|(at, _)| kinds.iter().any(|kind| nodes[at + 3..].starts_with(kind)))
    {
        names.push(nodes[..at].rsplit('"').next().unwrap());
    }
    let links: Vec<String> = names
        .iter()
        .map(|name| format!("(between: (\"{name}\", \"lan\"), rate: \"10Gbps\", delay: \"1ms\")"))
        .collect();
    format!(
        "Scenario(nodes: {{ {nodes} \"lan\": Router() }}, links: [{}], traffic: {{ {traffic} }}, {more})",
        links.join(", ")
    )
}

/// What is said about a scenario: errors, or else warnings.
fn said(nodes: &str, traffic: &str) -> Vec<String> {
    let line = |found: Diagnostic| format!("{}: {}", found.code.name(), found.message);
    let all = match parse(&scenario(nodes, traffic, ""), "test") {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    all.into_iter().map(line).collect()
}

/// Whatever the policy, a visitor with a sticky cookie stays with one server: each begins one session and loses none. Without it, a
/// policy that does not look at the visitor finds the session again in a third of the cases.
#[test]
fn a_session_stays_on_one_server_while_that_is_healthy() {
    for policy in ["RoundRobin", "Random", "LeastConnections", "TwoChoices", "PeakEwma"] {
        for seed in [1, 2] {
            let sessions = |sticky: &str| {
                let nodes = format!(
                    r#""user": Host(), "lb": Balancer(to: "shop", policy: {policy} {sticky}),
                    "shop": Server(count: 3, workers: 40, service: Exponential("5ms"), session: "cart"),"#
                );
                let traffic = r#""page": Http(from: "user", to: "http://lb/", arrivals: Closed(users: 40, think: Exponential("100ms")), until: "5s")"#;
                let (outcome, _) = run(&scenario(&nodes, traffic, &format!("run_for: \"6s\", seed: {seed}")));
                let page = &outcome.traffic["page"];
                assert_eq!(page.counts.started, page.counts.ok);
                let sessions = page.sessions.unwrap();
                assert_eq!(sessions.begun + sessions.found, page.counts.ok, "each request begins or finds one");
                sessions
            };
            let kept = sessions(r#", sticky: "server""#);
            assert_eq!((kept.begun, kept.lost), (40, 0), "{policy}");
            let loose = sessions("");
            assert_eq!(loose.begun, 40 + loose.lost);
            let again = loose.found as f64 / (loose.found + loose.lost) as f64;
            // Round robin among few visitors in step is not as even as chance; none of them is near to keeping anybody.
            assert!((0.2..0.6).contains(&again), "{policy}: {again} found theirs again");
        }
    }
}

/// A crash loses the sessions of that server, each once, and no other.
#[test]
fn what_a_crash_loses_is_counted_once() {
    let nodes = r#""user": Host(), "lb": Balancer(to: "shop", policy: RoundRobin, sticky: "server", retries: 2, health: Tcp(every: "100ms", fall: 1, rise: 1)),
        "shop": Server(count: 3, session: "cart"),"#;
    let traffic = r#""page": Http(from: "user", to: "http://lb/", arrivals: Closed(users: 30, think: Exponential("100ms")), until: "9s")"#;
    let fault = r#"run_for: "10s", faults: [Crash(node: "shop/2", how: Reset, at: "4s", for: "2s")]"#;
    let (outcome, _) = run(&scenario(nodes, traffic, fault));
    let page = &outcome.traffic["page"];
    assert_eq!(page.counts.started, page.counts.ok, "requests are carried over; what they had put there is not");
    let sessions = page.sessions.unwrap();
    assert_eq!((sessions.begun, sessions.lost), (40, 10));
}

/// Every combination of a header and a cookie, right, wrong and absent: the first route whose conditions all hold gets it, and nobody else.
#[test]
fn headers_and_cookies_route_exactly() {
    let nodes = r#""user": Host(), "lb": Balancer(to: "rest",
            pools: { "both": (to: "both"), "header": (to: "header"), "cookie": (to: "cookie"), "any": (to: "any") },
            routes: [
                (header: ("X-Group", "a"), cookie: ("beta", "1"), pool: "both"),
                (header: ("x-group", "a"), pool: "header"),
                (cookie: ("beta", "1"), path: "/x*", pool: "cookie"),
                (header: "X-Group", path: "/y", pool: "any"),
            ]),
        "both": Server(), "header": Server(), "cookie": Server(), "any": Server(), "rest": Server(),"#;
    let mut traffic = Vec::new();
    let mut want = std::collections::BTreeMap::<&str, u64>::new();
    for (number, (header, cookie, path)) in ["a", "b", ""]
        .into_iter()
        .flat_map(|header| ["1", "2", ""].into_iter().map(move |cookie| (header, cookie)))
        .flat_map(|(header, cookie)| ["/x/1", "/y", "/"].into_iter().map(move |path| (header, cookie, path)))
        .enumerate()
    {
        let headers =
            if header.is_empty() { String::new() } else { format!(r#"headers: {{ "X-GROUP": "{header}" }},"#) };
        let cookies =
            if cookie.is_empty() { String::new() } else { format!(r#"cookies: {{ "beta": "{cookie}", "x": "1" }},"#) };
        traffic.push(format!(
            r#""t{number}": Http(from: "user", to: "http://lb{path}", {headers} {cookies} arrivals: Every("10ms"), count: 3)"#
        ));
        let pool = match (header, cookie, path) {
            ("a", "1", _) => "both",
            ("a", ..) => "header",
            (_, "1", "/x/1") => "cookie",
            ("b", _, "/y") => "any",
            _ => "rest",
        };
        *want.entry(pool).or_default() += 3;
    }
    let (outcome, _) = run(&scenario(nodes, &traffic.join(", "), ""));
    for (pool, count) in want {
        assert_eq!(outcome.servers[pool].answered, count, "{pool}");
    }
}

/// A cookie for two seconds is sent while it lives, to its path, and forgotten then: the third request begins a session and loses none.
#[test]
fn cookies_keep_to_their_age_and_path() {
    let sessions = |session: &str, users: &str| {
        let nodes = format!(r#""user": Host(), "shop": Server(session: (cookie: "cart", {session})),"#);
        let traffic = format!(
            r#""page": Http(from: "user", to: "http://shop/cart/add?n=1", arrivals: At(["0s", "1s", "3s"]), {users})"#
        );
        let (outcome, _) = run(&scenario(&nodes, &traffic, ""));
        outcome.traffic["page"].sessions.map(|sessions| (sessions.begun, sessions.found, sessions.lost))
    };
    assert_eq!(sessions(r#"path: "/cart""#, ""), Some((1, 2, 0)));
    assert_eq!(sessions(r#"path: "/cart", max_age: "2s""#, ""), Some((2, 1, 0)));
    assert_eq!(sessions(r#"path: "/cart", idle: "1500ms""#, ""), Some((2, 1, 1)), "the user has it still");
    let beside = r#"cookies: false), "kept": Http(from: "user", to: "http://shop/cart/", arrivals: At(["0s"])"#;
    assert_eq!(sessions(r#"path: "/cart""#, beside), Some((3, 0, 0)), "the other keeps its own");
    assert_eq!(
        sessions(r#"path: "/cart""#, r#"cookies: { "cart": "guessed" }"#),
        Some((1, 2, 1)),
        "nobody guesses one"
    );
    let elsewhere = r#"timeout: "9s"), "kept": Http(from: "user", to: "http://shop/other/", arrivals: At(["0s"])"#;
    assert_eq!(sessions(r#"path: "/other""#, elsewhere), None, "no session for this path");
}

#[test]
fn fields_that_are_not_the_scenarios_to_choose_are_refused() {
    let said = |users: &str| {
        let nodes = r#""user": Host(), "shop": Server(),"#;
        said(nodes, &format!(r#""page": Http(from: "user", to: "http://shop/", arrivals: Every("1s"), {users})"#))
    };
    assert_eq!(said(r#"headers: { "host": "x" }"#), ["contradiction: `Host` follows from other fields"]);
    assert_eq!(said(r#"headers: { "a b": "x" }"#), ["bad-name: `a b` cannot be the name of a header field"]);
    assert_eq!(
        said(r#"headers: { "A": "1", "a": "2" }"#),
        ["duplicate-name: `a` is there already: names of fields have no case"]
    );
    assert_eq!(said(r#"headers: { "A": "1\n2" }"#), ["bad-name: this cannot be the value of a header field"]);
    assert_eq!(said(r#"cookies: { "a": "1;2" }"#), ["bad-name: `a=1;2` cannot be a cookie"]);
    assert_eq!(
        said("cookies: true"),
        [
            "no-effect: `cookies` has no effect: nobody who is asked sets any; give a server a `session`, or a balancer `sticky`"
        ]
    );
    assert_eq!(said(r#"headers: { "User-Agent": "curl/8" }, cookies: { "a": "1" }"#), Vec::<String>::new());
}

/// What the first page of a visitor takes, in whole milliseconds. The balancer is 4 ms from the user and from the servers.
fn first_page(balancer: &str, server: &str, users: &str) -> u64 {
    let nodes = format!(r#""user": Host(), "lb": Balancer({balancer}), "shop": Server({server}),"#);
    let traffic = format!(r#""page": Http(from: "user", to: "https://lb/", start: "2s", {users})"#);
    let (outcome, _) = run(&scenario(&nodes, &traffic, ""));
    let page = &outcome.traffic["page"];
    assert_eq!(page.counts.ok, 1, "{balancer} {server} {users}");
    page.latency_ns.unwrap().min / 1_000_000
}

/// Through the balancer everything goes to the server: 8 ms for each round trip, of which there are three, or four with TLS 1.2. Ended at
/// the balancer, two or three go there and back, 4 ms each, and the question goes all the way; a cold connection behind it costs a round trip
/// more, TLS on it another one, a warm one nothing.
#[test]
fn where_tls_ends_decides_how_many_round_trips_go_all_the_way() {
    let old = r#"tls: (max_version: "1.2")"#;
    let through = r#"to: "shop", layer: L4, port: 443"#;
    assert_eq!(first_page(through, "tls: true", ""), 3 * 8);
    assert_eq!(first_page(through, "tls: true", old), 4 * 8);
    let ended = r#"to: "shop", tls: true"#;
    assert_eq!(first_page(ended, "", ""), 2 * 4 + 4 + 8);
    assert_eq!(first_page(ended, "", old), 3 * 4 + 4 + 8);
    assert_eq!(first_page(ended, "tls: true", ""), 2 * 4 + 2 * 4 + 8);
    assert_eq!(
        first_page(&format!("{ended}, {}", r#"upstream_tls: (max_version: "1.2")"#), "tls: true", ""),
        2 * 4 + 3 * 4 + 8
    );
    let warm = r#"to: "shop", tls: true, warm: 1"#;
    assert_eq!(first_page(warm, "", ""), 2 * 4 + 8);
    assert_eq!(first_page(warm, "tls: true", ""), 2 * 4 + 8);
    assert_eq!(first_page(warm, "tls: true", old), 3 * 4 + 8);
}

/// Users who come back resume at the balancer, whichever of a pair they meet; with early data the question goes with the ClientHello.
#[test]
fn sessions_are_resumed_at_the_balancer() {
    let nodes = r#""user": Host(), "lb": Balancer(to: "shop", tls: (early_data: true), warm: 1), "shop": Server(),"#;
    let traffic = r#""page": Http(from: "user", to: "https://lb/", arrivals: Every("1s"), start: "2s", count: 3, connection: Fresh, tls: (early_data: true))"#;
    let (_, traffic) = run(&scenario(nodes, traffic, ""));
    let took: Vec<u64> = traffic[0].samples.as_slice().iter().map(|sample| sample.latency.as_millis()).collect();
    assert_eq!(took, [2 * 4 + 8, 4 + 8, 4 + 8]);
}

/// A client says which name it wants; the balancer has a certificate for it, of the size that belongs to it, or refuses.
#[test]
fn certificates_are_chosen_by_name() {
    let nodes = |names: &str| {
        format!(
            r#""user": Host(), "dns": Resolver(), "ns": Authority(), "lb": Balancer(to: "shop", tls: (names: {names})), "shop": Server(),"#
        )
    };
    let zones = r#"zones: { "shop.example": (A: ["lb"], ttl: "60s"), "bank.example": (A: ["lb"], ttl: "60s") }"#;
    let ask = |host: &str| format!(r#""page": Http(from: "user", to: "https://{host}/")"#);
    let bytes = |names: &str, host: &str| {
        let (outcome, _) = run(&scenario(&nodes(names), &ask(host), zones));
        assert_eq!(outcome.traffic["page"].counts.ok, 1);
        outcome.links["user-lan"].b_to_a.bytes
    };
    let both = r#"{ "shop.example": "3kB", "bank.example": "9kB" }"#;
    let more = bytes(both, "bank.example") - bytes(both, "shop.example");
    assert!((6_000..6_600).contains(&more), "{more} bytes more, headers of packets included");
    let refused = parse(&scenario(&nodes(r#"["shop.example"]"#), &ask("bank.example"), zones), "test");
    let said = refused.expect_err("nobody has a certificate for it");
    assert_eq!(said[0].message, "`lb` has no certificate for `bank.example`");
}

#[test]
fn checks_by_http_go_under_tls_where_that_is_spoken() {
    let nodes = r#""user": Host(), "lb": Balancer(to: "shop", health: Http(every: "500ms", fall: 2)), "shop": Server(count: 2, tls: true),"#;
    let traffic = r#""page": Http(from: "user", to: "http://lb/", arrivals: Every("100ms"))"#;
    let fault = r#"run_for: "10s", faults: [Crash(node: "shop/2", how: Reset, at: "5s")]"#;
    let (outcome, _) = run(&scenario(nodes, traffic, fault));
    let backends = &outcome.balancers["lb"].backends;
    assert_eq!((backends["shop/1"].probes, backends["shop/1"].probes_failed), (20, 0));
    assert!(backends["shop/2"].probes_failed >= 9);
    assert_eq!(outcome.judgements[0].what, "down");
}

#[test]
fn a_member_of_a_group_has_a_place_in_urls() {
    let nodes = r#""users": Host(count: 3), "shop": Server(count: 3, port: 8080),"#;
    let to = |url: &str| format!(r#""page": Http(from: "users", to: "{url}")"#);
    let (outcome, _) = run(&scenario(nodes, &to("http://[shop/2]:8080/item"), ""));
    let answered: Vec<u64> = outcome.servers.values().map(|server| server.answered).collect();
    assert_eq!(answered, [0, 3, 0]);
    assert_eq!(said(nodes, &to("http://[shop/4]:8080/")), ["unknown-member: `shop` has no member `shop/4`"]);
    assert_eq!(said(nodes, &to("http://shop:8080/item")), Vec::<String>::new());
    let calls = r#""user": Host(), "front": Server(calls: [(to: "http://[shop/2]/")]), "shop": Server(count: 2),"#;
    let (outcome, _) = run(&scenario(calls, r#""page": Http(from: "user", to: "http://front/")"#, ""));
    assert_eq!(outcome.traffic["front-shop-2"].counts.ok, 1);
}

/// One pool and nothing to choose by: everything goes there, as to a balancer's own `to`.
#[test]
fn one_pool_without_routes_takes_everything() {
    let nodes = r#""user": Host(), "lb": Balancer(pools: { "all": (to: "shop") }), "shop": Server(count: 2),"#;
    let (outcome, _) = run(&scenario(
        nodes,
        r#""page": Http(from: "user", to: "http://lb/any", arrivals: Every("1s"), count: 4)"#,
        "",
    ));
    assert_eq!(outcome.traffic["page"].counts.ok, 4);
    assert_eq!(outcome.balancers["lb"].backends["shop/2"].sent, 2);
}

#[test]
fn what_has_no_effect_at_a_balancer_is_told() {
    let said = |balancer: &str, server: &str, url: &str| {
        let nodes =
            format!(r#""user": Host(), "lb": Balancer(to: "shop", {balancer}), "shop": Server(count: 2, {server}),"#);
        said(&nodes, &format!(r#""page": Http(from: "user", to: "{url}")"#))
    };
    assert_eq!(
        said("layer: L4, port: 443, tls: true", "tls: true", "https://lb/"),
        ["no-effect: `tls` has no effect: an L4 balancer passes TLS through; it ends at the servers"]
    );
    assert_eq!(
        said("upstream_tls: ()", "", "http://lb/"),
        ["no-effect: `upstream_tls` has no effect: no backend speaks TLS: all are asked in the clear"]
    );
    assert_eq!(
        said(r#"upstream_tls: (max_version: "1.2")"#, r#"tls: (min_version: "1.3")"#, "http://lb/"),
        ["contradiction: the balancer speaks TLS 1.2, `shop/1` speaks TLS 1.3"]
    );
    assert_eq!(
        said("connections: 2, warm: 3", "", "http://lb/"),
        ["contradiction: more connections are to be warm than there may be"]
    );
    assert_eq!(said("tls: true", "", "http://lb:443/"), ["contradiction: `lb` speaks nothing but TLS"]);
    let unreadable = said(r#"tls: (names: ["no name"])"#, "", "https://lb/");
    assert_eq!(unreadable[0], "bad-name: `no name` is no domain name");
}

/// One worker, 600 ms of work, a second of patience. Three ask at once: the first is answered, the second is given up in the middle of its work,
/// the third in the queue. A server that does not look at deadlines works for all of them.
#[test]
fn nobody_works_for_those_who_have_gone() {
    let late = |server: &str, users: &str| {
        let nodes = format!(r#""user": Host(), "shop": Server(service: "600ms", {server}),"#);
        let traffic = format!(
            r#""page": Http(from: "user", to: "http://shop/", arrivals: At(["0s", "0s", "0s"]), timeout: "1s", connection: Fresh, {users})"#
        );
        let (outcome, traffic) = run(&scenario(&nodes, &traffic, ""));
        assert_eq!(outcome.traffic["page"].counts.ok, 1);
        assert_eq!(traffic[0].samples.as_slice()[0].latency.as_millis(), 608);
        let shop = &outcome.servers["shop"];
        let busy = u64::from(shop.busy.ppm()) * (outcome.simulated_ns / 1_000_000) / 1_000_000;
        (shop.turned_away.get("late").copied().unwrap_or(0), busy)
    };
    let (gone, busy) = late("deadlines: true", "deadline: true");
    assert_eq!(gone, 2);
    assert!((995..=1_005).contains(&busy), "from the first question to the end of patience: {busy} ms");
    let (gone, busy) = late("", "");
    assert_eq!(gone, 0);
    assert!((1_795..=1_805).contains(&busy), "three pieces of work one after the other: {busy} ms");
}

/// A call inherits what is left of the time, and says so: the machine behind stops when the user has gone, though nobody gave the call a
/// timeout of its own.
#[test]
fn calls_inherit_the_deadline() {
    let late = |front: &str| {
        let nodes = format!(
            r#""user": Host(), "front": Server(service: "100ms", calls: [(to: "http://back/")], {front}),
            "back": Server(service: "5s", deadlines: true),"#
        );
        let traffic = r#""page": Http(from: "user", to: "http://front/", timeout: "500ms", deadline: true)"#;
        let source = scenario(&nodes, traffic, "run_for: \"20s\"");
        let (plan, _) = parse(&source, "test").unwrap();
        let network = lay_out(&plan).unwrap();
        let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
        simulation.run();
        let (outcome, _) = simulation.outcome(Performance::default(), Vec::new());
        let failed = outcome.traffic["front-back"].counts.failed_by.get("timeout").copied().unwrap_or(0);
        (failed, outcome.servers["back"].turned_away.get("late").copied().unwrap_or(0))
    };
    assert_eq!(late("deadlines: true"), (1, 1));
    assert_eq!(late(""), (0, 0), "a front that does not look at deadlines passes none on");
}

#[test]
fn keys_and_deadlines_that_mean_nothing_are_told() {
    let said = |server: &str, users: &str| {
        let nodes = format!(r#""user": Host(), "shop": Server({server}), "rest": Server(),"#);
        let mut all = said(&nodes, &format!(r#""page": Http(from: "user", to: "http://shop/", {users})"#));
        all.retain(|line| !line.starts_with("unused: nothing is asked of `rest`"));
        all
    };
    assert_eq!(
        said("", "deadline: true"),
        ["no-effect: `deadline` has no effect: nobody who is asked looks at it; give the server `deadlines: true`"]
    );
    assert_eq!(
        said("deadlines: true", "deadline: true, timeout: Never"),
        ["no-effect: `deadline` has no effect: these requests are waited for without end: `timeout` is `Never`"]
    );
    assert_eq!(said(r#"idempotency: (store: "rest")"#, "idempotency_key: true"), ["wrong-role: `rest` is no store"]);
    assert_eq!(said(r#"idempotency: (keep: "1h")"#, ""), ["missing-field: an idempotency needs `store`"]);
    let nodes = r#""user": Host(), "shop": Server(idempotency: (store: "keys")), "keys": Store(),"#;
    let (outcome, _) =
        run(&scenario(nodes, r#""page": Http(from: "user", to: "http://shop/", idempotency_key: true)"#, ""));
    assert_eq!(outcome.stores["keys"].writes.acknowledged, 1);
}
