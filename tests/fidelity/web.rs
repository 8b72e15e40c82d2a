//! Requests of a program like curl to a server like nginx: how many round trips each phase takes, in the clear and under TLS.

#[cfg(test)]
use super::table::Cell;
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

/// Every phase of every request, and those that are known to miss.
pub fn tables() -> [Table; 2] {
    let (mut table, mut known) = (Table::default(), Table::default());
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
        if config != "http1.1_plain" && object == "100000" && request == 2 {
            // A known miss: under TLS the kernel's server does not have the whole object in its send buffer, which grows
            // with the window and counts memory, not bytes. lightlag's send buffer has its full size from the start.
            let name = format!("{key}: round trips to the last byte");
            let kernel = kernel.round();
            known.compare(&name, round_trips(rest), kernel, (kernel, kernel));
            continue;
        }
        compare("to the last byte", rest, kernel);
    }
    [table, known]
}

#[test]
fn phases_of_requests_take_the_kernels_round_trips() {
    let [table, known] = tables();
    for Cell { name, lightlag, kernel, .. } in &known.cells {
        println!("{name} lightlag {lightlag} kernel {kernel}, not judged");
    }
    table.judge("web");
}
