//! What HTTP carries beside bodies: header fields, cookies, sessions, over real packets from scenario text.

use lightlag::observe::Traffic;
use lightlag::run::outcome::Performance;
use lightlag::run::{Outcome, Simulation};
use lightlag::scenario::build::lay_out;
use lightlag::scenario::{Diagnostic, parse};
use lightlag::trace::Mask;

/// A scenario whose nodes all hang on one router, each a millisecond away.
fn scenario(nodes: &str, traffic: &str, more: &str) -> String {
    let kinds = ["Host(", "Server(", "Balancer(", "Store("];
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

/// What it comes to.
fn run(source: &str) -> (Outcome, Vec<Traffic>) {
    let (plan, warnings) = parse(source, "test").unwrap_or_else(|errors| panic!("{errors:#?}\n{source}"));
    assert_eq!(warnings, [], "{source}");
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    let (outcome, traffic) = simulation.outcome(Performance::default(), Vec::new());
    for observed in &traffic {
        for (index, sample) in observed.samples.as_slice().iter().enumerate() {
            assert_eq!(observed.budget(index).total(), sample.latency, "phases sum to the latency");
        }
    }
    (outcome, traffic)
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
    let mut traffic = String::new();
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
        traffic += &format!(
            r#""t{number}": Http(from: "user", to: "http://lb{path}", {headers} {cookies} arrivals: Every("10ms"), count: 3),"#
        );
        let pool = match (header, cookie, path) {
            ("a", "1", _) => "both",
            ("a", ..) => "header",
            (_, "1", "/x/1") => "cookie",
            ("b", _, "/y") => "any",
            _ => "rest",
        };
        *want.entry(pool).or_default() += 3;
    }
    let (outcome, _) = run(&scenario(nodes, &traffic, ""));
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
    assert_eq!(sessions(r#"path: "/cart""#, "cookies: false"), Some((3, 0, 0)));
    assert_eq!(
        sessions(r#"path: "/cart""#, r#"cookies: { "cart": "guessed" }"#),
        Some((1, 2, 1)),
        "nobody guesses one"
    );
    assert_eq!(sessions(r#"path: "/other""#, ""), None, "no session for this path");
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
