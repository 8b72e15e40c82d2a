//! The language as a whole: all faults at once, and populations that would be a hundred thousand lines elsewhere.

use lightlag::scenario::plan::TrafficKind;
use lightlag::scenario::{Diagnostic, parse};
use std::fmt::Write;

/// What is said about a text: errors, or else warnings.
fn said(source: &str) -> Vec<Diagnostic> {
    match parse(source, "example") {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    }
}

/// Ten faults of ten kinds, each told once and in the order of the file; a fault does not hide or breed another.
#[test]
fn all_faults_are_told_at_once() {
    let source = r#"Scenario(
    nodes: {
        "user": Host(at: "New Yrok", acess: "cable"),
        "origin": Server(at: "London", workers: "8", service: 5),
    },
    links: [(between: ("user", "orign"), loss: "120%", rate: 100)],
    traffic: { "page": Http(from: "user", to: "ftp://origin/") },
    expect: [Latency(of: "pages", percentile: "99%", at_most: "1 fortnight")],
)"#;
    let found: Vec<&str> = said(source).iter().map(|diagnostic| diagnostic.code.name()).collect();
    let want = [
        "unknown-place",
        "unknown-field",
        "wrong-shape",
        "missing-unit",
        "unknown-node",
        "out-of-range",
        "missing-unit",
        "unsupported",
        "unknown-traffic",
        "unknown-unit",
    ];
    assert_eq!(found, want);
}

/// 100,000 users in twelve cities, each with an access link of their own, planned in one go.
#[test]
fn a_crowd_takes_a_line_for_each_city() {
    const CITIES: [&str; 12] = [
        "New York",
        "London",
        "Tokyo",
        "São Paulo",
        "Mumbai",
        "Lagos",
        "Sydney",
        "Paris",
        "Singapore",
        "Mexico City",
        "Cairo",
        "Los Angeles",
    ];
    const EACH: usize = 8_334;
    let (mut nodes, mut links, mut zones, mut traffic) = (String::new(), String::new(), String::new(), String::new());
    for city in CITIES {
        let name = city.to_lowercase().replace(' ', "-").replace('ã', "a");
        writeln!(
            nodes,
            r#""users-{name}": Host(at: "{city}", count: {EACH}, access: "cable"), "router-{name}": Router(at: "{city}"),
            "dns-{name}": Resolver(at: "{city}"), "site-{name}": Server(at: "{city}", response: "20kB"),"#
        )
        .unwrap();
        writeln!(
            links,
            r#"(between: ("users-{name}", "router-{name}")), (between: ("dns-{name}", "router-{name}")),
            (between: ("site-{name}", "router-{name}"), rate: "100Gbps"), (between: ("router-{name}", "core"), rate: "400Gbps"),"#
        )
        .unwrap();
        writeln!(zones, r#""{name}.example": (A: ["site-{name}"]),"#).unwrap();
        writeln!(
            traffic,
            r#""{name}": Http(from: "users-{name}", to: "http://{name}.example/", arrivals: Every("10s"), connection: Fresh),"#
        )
        .unwrap();
    }
    let source = format!(
        r#"Scenario(nodes: {{ {nodes} "core": Router(at: "Frankfurt"), "ns": Authority(at: "Frankfurt") }},
        links: [{links} (between: ("ns", "core"))], zones: {{ {zones} }}, traffic: {{ {traffic} }})"#
    );
    let (plan, warnings) = parse(&source, "crowd").unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(warnings, []);
    assert_eq!(plan.nodes.len(), CITIES.len() * (EACH + 3) + 2);
    assert_eq!(plan.links.len(), CITIES.len() * (EACH + 3) + 1);
    for traffic in &plan.traffic {
        let TrafficKind::Http(http) = &traffic.kind else { panic!("only requests") };
        assert_eq!(http.asks.len(), EACH);
        for ask in &http.asks {
            let user = &plan.nodes[ask.from as usize];
            let resolver = &plan.nodes[user.resolvers[0] as usize];
            assert_eq!(resolver.place, user.place, "{} asks the resolver of its own city", user.name);
        }
    }
}
