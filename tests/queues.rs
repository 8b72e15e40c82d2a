//! Queue disciplines under real senders: the laws that made people invent them.

use lightlag::run::outcome::{DirectionOutcome, Performance, TrafficOutcome};
use lightlag::run::{Outcome, Simulation};
use lightlag::scenario::{build::lay_out, parse};
use lightlag::trace::Mask;

/// The outcome of a scenario, whatever it warns of.
fn run(text: &str) -> Outcome {
    let (plan, _) = parse(text, "test").unwrap_or_else(|faults| panic!("{faults:#?}"));
    let network = lay_out(&plan).unwrap();
    let mut simulation = Simulation::new(&plan, &network, None, Mask::NONE);
    simulation.run();
    simulation.outcome(Performance::default(), Vec::new()).0
}

/// Uploads of `seconds` from `a` over a line of 20 Mb/s with this queue, a round trip of 40 ms; `tcp` for both ends.
fn uploads(queue: &str, tcp: &str, flows: u32, seconds: u32) -> Outcome {
    run(&format!(
        r#"Scenario(run_for: "{seconds}s", tcp: ({tcp}), nodes: {{ "a": Host(), "r": Router(), "b": Host() }},
            links: [
                (between: ("a", "r"), rate: "20Mbps", delay: "15ms", queue: {queue}),
                (between: ("r", "b"), rate: "1Gbps", delay: "5ms"),
            ],
            traffic: {{ "up": Bulk(from: "a", to: "b", flows: {flows}, stagger: "50ms", measure_from: "5s") }})"#
    ))
}

fn line(outcome: &Outcome) -> &DirectionOutcome {
    &outcome.links["a-r"].a_to_b
}

fn up(outcome: &Outcome) -> &TrafficOutcome {
    &outcome.traffic["up"]
}

fn drops(outcome: &Outcome, cause: &str) -> u64 {
    line(outcome).drops.get(cause).copied().unwrap_or(0)
}

/// Jain's index of the flows' goodputs (Jain, Chiu & Hawe 1984): 1 when all are equal, 1 / n when one has everything.
fn jain(outcome: &Outcome) -> f64 {
    let rates: Vec<f64> = up(outcome).flows.iter().map(|flow| flow.goodput_bps as f64).collect();
    let (sum, squares) = rates.iter().fold((0.0, 0.0), |(sum, squares), rate| (sum + rate, squares + rate * rate));
    sum * sum / (rates.len() as f64 * squares)
}

#[test]
fn codel_holds_the_standing_queue_near_its_target_whatever_the_number_of_flows() {
    // 20 Mb/s are 12.5 kB in 5 ms. RFC 8289 3.2 promises a standing queue of about the target; drop-tail holds what it can.
    // Sixteen Renos have windows of a few packets, and CoDel's one signal after the other is slow for them.
    for (flows, most) in [(1, 30_000), (4, 30_000), (16, 80_000)] {
        let codel = uploads("Codel(limit: 5000)", "congestion: \"reno\"", flows, 40);
        let tail = uploads("DropTail(limit: 1000)", "congestion: \"reno\"", flows, 40);
        let (short, long) = (line(&codel).queue.mean_bytes, line(&tail).queue.mean_bytes);
        assert!((2_000..most).contains(&short), "{flows} flows: {short} B");
        assert!(long > 8 * short, "{flows} flows: {long} B and {short} B");
        assert!(up(&codel).goodput_bps > 16_000_000, "{flows} flows: {}", up(&codel).goodput_bps);
        assert_eq!(drops(&codel, "queue_full"), 0);
    }
}

#[test]
fn the_target_sets_the_queue() {
    let queue = |target| {
        let codel = format!("Codel(target: \"{target}ms\", interval: \"200ms\", limit: 5000)");
        line(&uploads(&codel, "", 8, 30)).queue.mean_bytes
    };
    let (five, twenty, eighty) = (queue(5), queue(20), queue(80));
    assert!(five < twenty && twenty < eighty, "{five} {twenty} {eighty}");
    // 80 ms of the line are 200 kB.
    assert!((100_000..300_000).contains(&eighty), "{eighty}");
}

#[test]
fn with_ecn_queues_mark_instead_of_dropping_and_nothing_is_sent_again() {
    for queue in
        ["Codel(ecn: true, limit: 5000)", "FqCodel()", "Red(min: \"20kB\", max: \"500kB\", ecn: true, limit: 2000)"]
    {
        for congestion in ["reno", "cubic"] {
            let ecn = uploads(queue, &format!("ecn: On, congestion: \"{congestion}\""), 4, 20);
            assert!(line(&ecn).drops.is_empty(), "{queue} {congestion}: {:?}", line(&ecn).drops);
            assert!(line(&ecn).marks > 10, "{queue} {congestion}: {}", line(&ecn).marks);
            let plain = uploads(queue, &format!("congestion: \"{congestion}\""), 4, 20);
            assert_eq!(line(&plain).marks, 0);
            assert!(drops(&plain, "early_drop") > 10, "{queue} {congestion}");
            // The same signal, the same goodput.
            let (with, without) = (up(&ecn).goodput_bps as f64, up(&plain).goodput_bps as f64);
            assert!((with / without - 1.0).abs() < 0.15, "{queue} {congestion}: {with} {without}");
        }
    }
}

#[test]
fn marks_hold_the_queue_down_over_quic_as_over_tcp_and_nothing_is_lost() {
    for queue in ["Codel(ecn: true, limit: 5000)", "Red(min: \"20kB\", max: \"500kB\", ecn: true, limit: 2000)"] {
        for congestion in ["reno", "cubic"] {
            let over = |over: &str, ecn: &str| {
                run(&format!(
                    r#"Scenario(run_for: "20s", tcp: (ecn: {ecn}, congestion: "{congestion}"),
                        nodes: {{ "a": Host(), "r": Router(), "b": Host() }},
                        links: [
                            (between: ("a", "r"), rate: "20Mbps", delay: "15ms", queue: {queue}),
                            (between: ("r", "b"), rate: "1Gbps", delay: "5ms"),
                        ],
                        traffic: {{ "up": Bulk(from: "a", to: "b", over: {over}, flows: 4, stagger: "50ms", measure_from: "5s") }})"#
                ))
            };
            let (quic, tcp, plain) = (over("Quic", "On"), over("Tcp", "On"), over("Quic", "Passive"));
            assert!(line(&quic).drops.is_empty(), "{queue} {congestion}: {:?}", line(&quic).drops);
            assert!(line(&quic).marks > 10, "{queue} {congestion}: {}", line(&quic).marks);
            assert_eq!(line(&plain).marks, 0, "nobody asks, nothing is marked");
            assert!(drops(&plain, "early_drop") > 10, "{queue} {congestion}");
            // As low as TCP's with the same marks, and the line as busy as with losses.
            let (low, same) = (line(&quic).queue.mean_bytes, line(&tcp).queue.mean_bytes);
            assert!(low < 2 * same && low < 120_000, "{queue} {congestion}: {low} B, TCP {same} B");
            let (with, without) = (up(&quic).goodput_bps as f64, up(&plain).goodput_bps as f64);
            assert!(with > 0.85 * without && with > 15e6, "{queue} {congestion}: {with} {without}");
        }
    }
}

#[test]
fn dctcp_over_quic_keeps_the_queue_at_its_threshold_too() {
    let quic = run(
        r#"Scenario(run_for: "30s", tcp: (congestion: "dctcp"), nodes: { "a": Host(), "r": Router(), "b": Host() },
            links: [
                (between: ("a", "r"), rate: "20Mbps", delay: "15ms", queue: DropTail(limit: "1MB", ecn: "50kB")),
                (between: ("r", "b"), rate: "1Gbps", delay: "5ms"),
            ],
            traffic: { "up": Bulk(from: "a", to: "b", over: Quic, flows: 4, stagger: "50ms", measure_from: "5s") })"#,
    );
    let mean = line(&quic).queue.mean_bytes;
    assert!((20_000..90_000).contains(&mean), "{mean}");
    assert!(up(&quic).goodput_bps > 18_000_000, "{}", up(&quic).goodput_bps);
    assert!(line(&quic).drops.is_empty());
}

#[test]
fn fq_codel_gives_flows_of_unlike_controllers_and_round_trips_the_same() {
    let shares = |queue: &str| {
        let outcome = run(&format!(
            r#"Scenario(run_for: "30s", nodes: {{ "near": Host(), "far": Host(), "r": Router(), "s": Router(), "b": Host() }},
                links: [
                    (between: ("near", "r"), rate: "1Gbps", delay: "1ms"),
                    (between: ("far", "r"), rate: "1Gbps", delay: "60ms"),
                    (between: ("r", "s"), rate: "20Mbps", delay: "4ms", queue: {queue}),
                    (between: ("s", "b"), rate: "1Gbps", delay: "1ms"),
                ],
                traffic: {{
                    "near": Bulk(from: "near", to: "b", congestion: "cubic", measure_from: "10s"),
                    "far": Bulk(from: "far", to: "b", congestion: "reno", measure_from: "10s"),
                }})"#
        ));
        ["near", "far"].map(|name| outcome.traffic[name].goodput_bps as f64)
    };
    let [near, far] = shares("DropTail(60)");
    assert!(near > 5.0 * far, "one queue favours the short round trip: {near} {far}");
    let [near, far] = shares("FqCodel()");
    assert!(near / far < 2.0 && near + far > 17.5e6, "{near} {far}");
}

#[test]
fn many_flows_share_fairly() {
    let fair = uploads("FqCodel()", "", 10, 30);
    assert!(jain(&fair) > 0.99, "{}", jain(&fair));
    let unfair = uploads("DropTail(100)", "", 10, 30);
    assert!(jain(&unfair) < jain(&fair), "{} {}", jain(&unfair), jain(&fair));
}

#[test]
fn red_drops_before_the_queue_is_full_and_keeps_the_average_between_its_thresholds() {
    let red = uploads("Red(min: \"30kB\", max: \"90kB\", limit: \"400kB\")", "congestion: \"reno\"", 8, 40);
    assert_eq!(drops(&red, "queue_full"), 0);
    assert!(drops(&red, "early_drop") > 50);
    let mean = line(&red).queue.mean_bytes;
    assert!((20_000..100_000).contains(&mean), "{mean}");
    assert!(up(&red).goodput_bps > 18_000_000);
}

#[test]
fn dctcp_keeps_the_queue_at_its_threshold_and_the_line_busy() {
    // Data-centre figures scaled to 20 Mb/s: a threshold of half a bandwidth-delay product (50 kB).
    let queue = "DropTail(limit: \"1MB\", ecn: \"50kB\")";
    let dctcp = uploads(queue, "congestion: \"dctcp\"", 4, 30);
    let cubic = uploads(queue, "", 4, 30);
    let (short, long) = (line(&dctcp).queue.mean_bytes, line(&cubic).queue.mean_bytes);
    assert!((20_000..90_000).contains(&short), "{short}");
    assert!(long > 4 * short, "{long} {short}");
    assert!(up(&dctcp).goodput_bps > 18_800_000, "{}", up(&dctcp).goodput_bps);
    assert!(line(&dctcp).drops.is_empty() && line(&cubic).marks == 0);
}

#[test]
fn a_shaper_sends_its_rate_to_the_byte_and_a_policer_no_more_than_that() {
    let greedy = |queue: &str| {
        run(&format!(
            r#"Scenario(run_for: "10s", nodes: {{ "a": Host(), "b": Host() }},
                links: [(between: ("a", "b"), rate: "100Mbps", delay: "1ms", a_to_b: (queue: {queue}))],
                traffic: {{ "m": Messages(from: "a", to: "b", over: Udp, size: "972B", every: "400us", for: "9990ms") }})"#
        ))
    };
    let bytes = |outcome: &Outcome| outcome.links["a-b"].a_to_b.bytes;
    // 20 Mb/s of packets of 1,000 bytes against 8 Mb/s and a burst of 30 kB: in t seconds 30 kB + t x 1 MB, within a packet.
    let shaped = bytes(&greedy(r#"TokenBucket(rate: "8Mbps", burst: "30kB")"#));
    let wanted = 30_000 + 10_000_000;
    assert!(shaped <= wanted && wanted - shaped <= 1_000, "{shaped}");
    let policed = greedy(r#"Policer(rate: "8Mbps", burst: "30kB")"#);
    let last = 30_000 + 9_990_000;
    assert!(bytes(&policed) <= last && last - bytes(&policed) <= 2_000, "{}", bytes(&policed));
    assert!(policed.links["a-b"].a_to_b.drops["policed"] > 14_000);
}

#[test]
fn a_paced_sender_meets_a_short_queue_with_fewer_losses() {
    // A window of bursts against ten packets of queue on the fast side of the bottleneck.
    let lost = |tcp: &str| {
        let outcome = run(&format!(
            r#"Scenario(run_for: "20s", tcp: ({tcp}), nodes: {{ "a": Host(), "r": Router(), "b": Host() }},
                links: [
                    (between: ("a", "r"), rate: "1Gbps", delay: "1ms"),
                    (between: ("r", "b"), rate: "50Mbps", delay: "25ms", queue: DropTail(20)),
                ],
                traffic: {{ "up": Bulk(from: "a", to: "b", bytes: "300kB") }})"#
        ));
        outcome.links["r-b"].a_to_b.drops.values().sum::<u64>()
    };
    let (bursts, paced) = (lost(""), lost("pacing: true"));
    assert!(bursts > 5 && paced * 2 < bursts, "{bursts} {paced}");
}
