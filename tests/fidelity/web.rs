//! Requests of a program like curl to a server like nginx: how many round trips each phase takes, in the clear and under TLS.

use super::table::{Table, number, rows};
use lightlag::base::Span;
use lightlag::observe::{Phase, Traffic};
use lightlag::run::Simulation;
use lightlag::run::outcome::Performance;
use lightlag::scenario::build::lay_out;
use lightlag::scenario::parse;
use lightlag::trace::Mask;

/// Two requests on one connection, one right after the other, over the path that the kernel was measured on.
fn requests(config: &str, object: &str) -> Traffic {
    let (scheme, tls) = match config {
        "http1.1_plain" => ("http", ""),
        "http1.1_tls1.2" => ("https", "tls: (max_version: \"1.2\"),"),
        _ => ("https", "tls: (),"),
    };
    let source = format!(
        r#"Scenario(run_for: "20s",
            nodes: {{ "user": Host(), "shop": Server({tls} response: "{object}B") }},
            links: [(between: ("user", "shop"), rate: "100Mbps", delay: "28ms", queue: DropTail("700kB"))],
            traffic: {{ "page": Http(from: "user", to: "{scheme}://shop/", arrivals: Closed(users: 1), count: 2, connection: Pool(1)) }})"#
    );
    let (plan, _) = parse(&source, "web").unwrap_or_else(|faults| panic!("{faults:#?}"));
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::TRAFFIC);
    simulation.run();
    let (_, mut traffic) = simulation.outcome(Performance::default(), Vec::new());
    traffic.remove(0)
}

/// Round trips of 56 ms, to the nearest whole one: what the kernel's figures have above that is processor time.
fn round_trips(span: Span) -> f64 {
    (span.as_millis_f64() / 56.0).round()
}

/// Every phase of every request.
pub fn table() -> Table {
    let mut table = Table::default();
    for row in rows("linux_web") {
        let (config, object, request) = (row[0].to_owned(), row[2].replace('k', "000"), number(&row, 3) as usize);
        if !matches!(config.as_str(), "http1.1_plain" | "http1.1_tls1.2" | "http1.1_tls1.3") {
            continue;
        }
        let traffic = requests(&config, &object);
        let budget = traffic.budget(request - 1);
        let (connect, tls) = (budget.of(Phase::Connect), budget.of(Phase::Tls));
        let rest = budget.total() - connect - tls;
        let key = format!("{config}, {object} B, request {request}");
        let mut compare = |what: &str, lightlag: Span, kernel: f64| {
            let kernel = kernel.abs().round();
            if kernel == 0.0 {
                assert!(lightlag.is_zero(), "{key}: {what}");
                return;
            }
            table.compare(&format!("{key}: round trips {what}"), round_trips(lightlag), kernel, (kernel, kernel));
        };
        compare("of TCP", connect, number(&row, 11));
        compare("of TLS", tls, number(&row, 12));
        let kernel = number(&row, 13) + number(&row, 14);
        compare("to the last byte", rest, kernel);
    }
    table
}

#[test]
fn phases_of_requests_take_the_kernels_round_trips() {
    table().judge("web");
}
