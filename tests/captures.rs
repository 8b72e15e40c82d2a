//! Captures as another program sees them: tshark reads what a run wrote, and finds in it what the run says of itself.
//!
//! Without tshark the tests that need it say so and pass, unless `LIGHTLAG_REQUIRE_TSHARK` is set, as `.ci/run` does.

#![expect(clippy::disallowed_methods, reason = "tests read files and the environment")]
#![expect(clippy::print_stdout, reason = "what is skipped, and how far a long test has come, is said")]

#[path = "captures/tshark.rs"]
mod tshark;

use lightlag::run::Outcome;
use lightlag::scenario::plan::{Http, NodeKind, Plan, TrafficKind, Zone};
use lightlag::service::balancer::Probe;
use rayon::prelude::*;
use snapbox::cmd::Command;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

const LIGHTLAG: &str = env!("CARGO_BIN_EXE_lightlag");

/// A directory that is gone when the test is over.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lightlag-captures-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn scenario(&self, text: &str) -> PathBuf {
        let path = self.0.join("scenario.ron");
        fs::write(&path, text).unwrap();
        path
    }

    fn captures(&self) -> PathBuf {
        self.0.join("pcap")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a scenario with captures into `into`; what it came to, whatever it expected.
fn run(scenario: &Path, into: &Path, more: &[&str]) -> Outcome {
    let output = Command::new(LIGHTLAG)
        .args(["run", "--quiet", "--format", "json", "--pcap"])
        .arg(into)
        .arg(scenario)
        .args(more)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code < 2), "{}: {words}", scenario.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn names(dir: &Path) -> Vec<String> {
    files(dir).iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// A user behind a router whose line to the shop is short of everything.
const BAD_LINE: &str = r#"Scenario(
    run_for: "8s",
    nodes: { "user": Host(), "far": Host(count: 2), "gw": Router(), "shop": Server(service: "1ms", response: "300kB") },
    links: [
        (between: ("user", "gw"), rate: "1Gbps", delay: "1ms"),
        (between: ("far", "gw"), rate: "1Gbps", delay: "1ms"),
        (between: ("gw", "shop"), rate: "20Mbps", delay: "9ms", queue: DropTail("15kB"), loss: "2%", duplicate: "1%",
         corrupt: "1%", reorder: (share: "2%", by: "3ms")),
    ],
    traffic: {
        "page": Http(from: "user", to: "shop", arrivals: Every("500ms"), count: 12, connection: Fresh),
        "note": Messages(from: "user", to: "far/2", over: Udp, size: "100B", every: "100ms", count: 20),
        "gone": Ping(from: "user", to: "shop", count: 5),
    },
)"#;

#[test]
fn captures_change_nothing() {
    let dir = Dir::new("digest");
    let scenario = dir.scenario(BAD_LINE);
    let with = run(&scenario, &dir.captures(), &[]);
    let without = Command::new(LIGHTLAG).args(["run", "--quiet", "--format", "json"]).arg(&scenario).output().unwrap();
    let without: Outcome = serde_json::from_slice(&without.stdout).unwrap();
    assert_eq!(with.without_performance(), without.without_performance());
}

#[test]
fn hosts_have_a_file_and_routers_one_a_link() {
    let dir = Dir::new("files");
    let scenario = dir.scenario(BAD_LINE);
    let at = |more: &[&str]| {
        let into = dir.captures();
        let _ = fs::remove_dir_all(&into);
        run(&scenario, &into, more);
        names(&into)
    };
    let all = ["far-1", "far-2", "gw.far-1-gw", "gw.far-2-gw", "gw.gw-shop", "gw.user-gw", "shop", "user"];
    assert_eq!(at(&[]), all.map(|name| format!("{name}.pcapng")));
    assert_eq!(at(&["--pcap-at", "user"]), ["user.pcapng"]);
    assert_eq!(at(&["--pcap-at", "gw-shop"]), ["gw.gw-shop.pcapng", "shop.pcapng"]);
    assert_eq!(at(&["--pcap-at", "far,user"]), ["far-1.pcapng", "far-2.pcapng", "user.pcapng"], "a group's members");
}

#[test]
fn a_wrong_place_is_said_and_nothing_is_written() {
    let dir = Dir::new("wrong");
    let scenario = dir.scenario(BAD_LINE);
    let into = dir.captures();
    let wrong = |words: &[&str]| {
        let assert = Command::new(LIGHTLAG).args(["run", scenario.to_str().unwrap()]).args(words).assert().code(2);
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    };
    let path = into.to_str().unwrap();
    let said = wrong(&["--pcap", path, "--pcap-at", "user,shopp"]);
    assert_eq!(said, "error: --pcap-at: no node, group or link is called `shopp`; did you mean `shop`?\n");
    let said = wrong(&["--pcap", path, "--pcap-at", "elsewhere"]);
    assert!(said.contains("nodes are `far/1`, `far/2`, `gw`, `shop` and `user`; links are"), "{said}");
    assert!(wrong(&["--pcap-at", "user"]).contains("--pcap <DIR>"));
    assert!(wrong(&["--pcap", path, "--pcap-snaplen", "67"]).contains("67 is not in 68..=65535"));
    assert!(!into.exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_no_fault_of_the_scenario() {
    let dir = Dir::new("blocked");
    let scenario = dir.scenario(BAD_LINE);
    let blocked = scenario.join("pcap");
    let words = ["run", scenario.to_str().unwrap(), "--pcap", blocked.to_str().unwrap()];
    Command::new(LIGHTLAG).args(words).assert().code(3).stderr_eq("error: cannot make `[..]`: [..]\n");
}

/// What is captured of a scenario.
struct Share {
    scenario: PathBuf,
    /// Another end of the run.
    run_for: Option<&'static str>,
    /// Only these places.
    at: Option<&'static str>,
}

/// Scenarios of the repository and what is captured of them. Large ones are cut in time, and the largest in places too: what they capture
/// in full is gigabytes of the same in hundreds of files.
fn scenarios() -> Vec<Share> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let in_dir = |dir: &Path| {
        let mut all = files(dir);
        all.retain(|path| path.extension().is_some_and(|ending| ending == "ron"));
        all
    };
    let whole = in_dir(&root).into_iter().map(|scenario| {
        // Whoever sends a hundred thousand packets says in the first tens of thousands what there is to be said.
        let (run_for, at) = match scenario.file_stem().and_then(|stem| stem.to_str()).unwrap() {
            "dctcp-incast" => (Some("1100ms"), Some("dctcp-long/1,dctcp-worker/1")),
            "port-exhaustion" | "token-bucket" | "fan-out-tail" => (Some("6s"), None),
            "bufferbloat" | "load-shedding" => (Some("12s"), None),
            "balanced-shop" | "sharded-cache" => (Some("4s"), None),
            "l4-direct" => (Some("1s"), None),
            "scale-up-or-out" => (Some("20s"), None),
            "priority" => (Some("6500ms"), None),
            "l4-long-lived" => (Some("40s"), None),
            _ => (None, None),
        };
        Share { scenario, run_for, at }
    });
    let cut = in_dir(&root.join("bench")).into_iter().map(|scenario| {
        let (run_for, at) = match scenario.file_stem().and_then(|stem| stem.to_str()).unwrap() {
            "leafspine" => ("20ms", Some("host/1,host/128,spine/1")),
            "dumbbell100" => ("300ms", Some("sender/1,receiver/1")),
            "web" => ("300ms", Some("client/1,client/2,server")),
            _ => ("300ms", None),
        };
        Share { scenario, run_for: Some(run_for), at }
    });
    whole.chain(cut).collect()
}

/// The scenario's text with another end; what it measures is measured from the beginning.
fn shortened(text: &str, run_for: &str) -> String {
    let (before, rest) = text.split_once("run_for: \"").expect("a bench states how long it runs");
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}run_for: \"{run_for}\"{after}").replace("measure_from: \"5s\"", "measure_from: \"0s\"")
}

/// What tshark calls wrong: frames that it cannot read or that stand before an earlier one, checksums that are bad or that it could not verify, and name service
/// that it does not recognise. An ICMP error quotes too little to verify what it quotes.
const FAULT: &str = "_ws.malformed or frame.time_delta < 0 or _ws.short or _ws.expert.severity == error or icmp.checksum.status == 0 \
                     or ip.checksum.status == 0 or ip.checksum.status == 2 \
                     or (not icmp.type == 3 and not icmp.type == 11 and (\
                         (tcp and not tcp.checksum.status == 1) or (udp and not udp.checksum.status == 1) \
                         or (udp.port == 53 and not dns)))";

/// Data, SYN or FIN that a host sends although it has sent what lies behind it: its own interface reorders nothing, so this
/// is what it sent again. Which of the names tshark gives it is a guess from times and acknowledgments.
const AGAIN: &str = "frame.packet_flags_direction == 2 and (tcp.analysis.retransmission or \
                     tcp.analysis.fast_retransmission or tcp.analysis.spurious_retransmission or \
                     tcp.analysis.out_of_order)";

const REQUEST: &str = "frame.packet_flags_direction == 2 and http.request";

/// The first message of a TLS handshake, which names the server.
const HELLO: &str = "frame.packet_flags_direction == 2 and tls.handshake.type == 1";

/// What a run says of its requests, as far as tshark can see them.
struct Asked {
    /// How many requests go in the clear: those that ended well at least, those that began at most.
    clear: RangeInclusive<u64>,
    /// How many traffics ask under TLS, each of which must say hello.
    under_tls: u64,
}

/// How many HTTP requests a traffic's users send, at least and at most: each that ended well once, each try at most once, with the
/// reading that goes before a conditional write; and once more where a follower passes it on to its primary.
fn sent(plan: &Plan, outcome: &Outcome, name: &str, http: &Http) -> (u64, u64) {
    let traffic = &outcome.traffic[name];
    let tries = traffic.resilience.as_ref().map_or(traffic.counts.started, |resilience| resilience.tries);
    let each = 1 + u64::from(http.conditional);
    let follows = |node: &u32| match &plan.nodes[*node as usize].kind {
        NodeKind::Store(store) => plan.stores[store.store as usize].members.len() > 1,
        _ => false,
    };
    let passed_on = http.asks.iter().any(|ask| ask.targets.iter().any(follows));
    // A try under way when the run ends is not told.
    let tries = tries + traffic.counts.unfinished;
    (traffic.counts.ok, tries * each * if passed_on { 2 } else { 1 })
}

impl Asked {
    fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let (mut clear, mut under_tls) = (0..=0, 0);
        for traffic in &plan.traffic {
            let TrafficKind::Http(http) = &traffic.kind else { continue };
            let (least, most) = sent(plan, outcome, &traffic.name, http);
            if http.tls.is_some() {
                under_tls += u64::from(least > 0);
            } else {
                clear = clear.start() + least..=clear.end() + most;
            }
        }
        // Balancers ask too: those whom they send requests to, and those whom they check by requests.
        for (name, balancer) in &outcome.balancers {
            let node = plan.nodes.iter().find(|node| node.name == *name).unwrap();
            let NodeKind::Balancer(settings) = &node.kind else {
                // A name server checks what it gives; in this repository by TCP alone, which asks nothing.
                let http = |zone: &Zone| zone.check.as_ref().is_some_and(|check| check.probe != Probe::Tcp);
                assert!(!plan.zones.iter().any(http), "{name} checks by requests that nobody counts here");
                continue;
            };
            if !settings.layer.sees_requests() {
                // What goes through is sent once more, and now and then again.
                for traffic in &plan.traffic {
                    let TrafficKind::Http(http) = &traffic.kind else { continue };
                    let through = |node: &u32| plan.nodes[*node as usize].name == *name;
                    if http.tls.is_none() && http.asks.iter().any(|ask| ask.targets.iter().any(through)) {
                        let (least, most) = sent(plan, outcome, &traffic.name, http);
                        let only = http.asks.iter().all(|ask| ask.targets.iter().all(through));
                        clear = clear.start() + if only { least } else { 0 }..=clear.end() + most;
                    }
                }
            }
            let probes = settings.pools.iter().filter_map(|pool| pool.settings.check.as_ref());
            let asks = probes.map(|check| &check.probe).any(|probe| matches!(probe, Probe::Http { .. }));
            let under_tls = |backend: &str| {
                settings.targets().any(|target| target.tls && plan.nodes[target.node as usize].name == *backend)
            };
            for (_, backend) in balancer.backends.iter().filter(|(name, _)| !under_tls(name)) {
                let failed: u64 = backend.failed.values().sum();
                let (mut least, mut most) = (0, 0);
                if settings.layer.sees_requests() {
                    (least, most) = (backend.sent - failed - backend.active, backend.sent);
                }
                if asks {
                    // The last check may be under way.
                    (least, most) = (least + backend.probes - backend.probes_failed, most + backend.probes + 1);
                }
                clear = clear.start() + least..=clear.end() + most;
            }
        }
        // Edges fetch, from an origin or from each other: what is asked on a kept connection that has been closed meanwhile is asked once more.
        for edge in outcome.edges.values() {
            let asked = edge.fetches + edge.passed;
            clear = clear.start() + (edge.fetches - edge.fetches_failed)..=clear.end() + 2 * asked;
        }
        // Whoever is told to purge tells all edges.
        for purge in &outcome.purges {
            let told = purge.edges_ns.len() as u64;
            clear = clear.start() + told..=clear.end() + 2 * outcome.edges.len() as u64;
        }
        // Servers that remember keys together look for a key and write it, at one member of the store or, if that is silent, at the next.
        for node in &plan.nodes {
            let NodeKind::Server(server) = &node.kind else { continue };
            let Some(shared) = &server.shared_keys else { continue };
            let begun = outcome.servers[&node.name].answered + server.workers as u64;
            clear = *clear.start()..=clear.end() + begun * 2 * shared.members.len() as u64;
        }
        Self { clear, under_tls }
    }
}

/// What tshark makes of captures.
#[derive(Default)]
struct Judgement {
    frames: u64,
    sent_again: u64,
    requests: u64,
    hellos: u64,
}

/// Asks tshark about all files of a directory; they must be without fault.
fn judge(dir: &Path) -> Judgement {
    judge_files(&files(dir))
}

/// The same of some files. Only hosts' files are counted: in a router's stands what others have sent.
fn judge_files(files: &[PathBuf]) -> Judgement {
    let each = files.par_iter().map(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let host = u64::from(!name.trim_end_matches(".pcapng").contains('.'));
        let [frames, wrong, again, requests, hellos] = tshark::counts(file, ["frame", FAULT, AGAIN, REQUEST, HELLO]);
        assert!(wrong == 0, "{name}: {wrong} of {frames} frames:\n{}", tshark::list(file, FAULT));
        Judgement { frames, sent_again: again * host, requests: requests * host, hellos: hellos * host }
    });
    each.reduce(Judgement::default, |one, other| Judgement {
        frames: one.frames + other.frames,
        sent_again: one.sent_again + other.sent_again,
        requests: one.requests + other.requests,
        hellos: one.hellos + other.hellos,
    })
}

/// So many files of one scenario are all judged; of more, so many are, one from here and one from there.
const MOST_FILES: usize = 10;
const SAMPLE: usize = 5;

#[test]
fn tshark_finds_nothing_wrong_in_any_scenario_and_counts_as_we_do() {
    if !tshark::here() {
        return;
    }
    for Share { scenario, run_for, at } in scenarios() {
        println!("{}", scenario.display());
        let dir = Dir::new("scenarios");
        let text = fs::read_to_string(&scenario).unwrap();
        let text = run_for.map_or(text.clone(), |run_for| shortened(&text, run_for));
        let at: Vec<&str> = at.into_iter().flat_map(|at| ["--pcap-at", at]).collect();
        let outcome = run(&dir.scenario(&text), &dir.captures(), &at);
        let mut captured = files(&dir.captures());
        let sampled = captured.len() > MOST_FILES;
        if sampled {
            let step = captured.len() / SAMPLE;
            captured = captured.into_iter().step_by(step).collect();
        }
        let found = judge_files(&captured);
        assert!(found.frames > 0);
        // Where not all is judged there is nothing to compare.
        if sampled || !at.is_empty() {
            continue;
        }
        assert_eq!(found.sent_again, outcome.packets.retransmitted - outcome.packets.retransmitted_quic);
        let (plan, _) = lightlag::scenario::parse(&text, "captured").unwrap();
        let asked = Asked::of(&plan, &outcome);
        assert!(asked.clear.contains(&found.requests), "{} in {:?}", found.requests, asked.clear);
        assert!(found.hellos >= asked.under_tls, "{} TLS handshakes of {} traffics", found.hellos, asked.under_tls);
    }
}

#[test]
fn quic_is_quic_and_its_first_messages_can_be_read() {
    if !tshark::here() {
        return;
    }
    let dir = Dir::new("quic");
    let scenario = dir.scenario(
        r#"Scenario(
    run_for: "4s",
    nodes: { "user": Host(), "shop": Host() },
    links: [ (between: ("user", "shop"), rate: "20Mbps", delay: "9ms", loss: "1%") ],
    traffic: { "objects": Objects(from: "user", to: "shop", over: Quic, objects: 10, size: "20kB") },
)"#,
    );
    run(&scenario, &dir.captures(), &[]);
    assert!(judge(&dir.captures()).frames > 100);
    // RFC 9001 5.2: everyone who sees the first packet can make the keys of the Initials.
    let filters = ["udp", "quic", "tls.handshake.type == 1", "tls.handshake.type == 2"];
    let [udp, quic, client, server] = tshark::counts(&dir.captures().join("user.pcapng"), filters);
    assert_eq!(udp, quic);
    assert!(client >= 1 && server >= 1, "{client} client hellos, {server} server hellos");
}

#[test]
fn what_is_under_tls_is_tls_and_names_its_server() {
    if !tshark::here() {
        return;
    }
    let dir = Dir::new("tls");
    let scenario = dir.scenario(
        r#"Scenario(
    run_for: "5s",
    nodes: {
        "user": Host(),
        "dns": Resolver(),
        "ns": Authority(),
        "shop": Server(response: "40kB", tls: true),
    },
    zones: { "shop.example": (A: ["shop"], ttl: "60s") },
    links: [
        (between: ("user", "dns"), rate: "1Gbps", delay: "1ms"),
        (between: ("dns", "ns"), rate: "1Gbps", delay: "1ms"),
        (between: ("user", "shop"), rate: "20Mbps", delay: "9ms"),
    ],
    traffic: { "page": Http(from: "user", to: "https://shop.example/", arrivals: Every("500ms"), count: 5, connection: Fresh) },
)"#,
    );
    let outcome = run(&scenario, &dir.captures(), &[]);
    let ok = outcome.traffic["page"].counts.ok;
    assert_eq!((ok, judge(&dir.captures()).requests), (5, 0));
    let (mut hellos, mut named, mut data) = (0, 0, 0);
    for file in files(&dir.captures()) {
        let named_hello = format!("{HELLO} and tls.handshake.extensions_server_name == \"shop.example\"");
        let filters = [HELLO, &named_hello, "tls.app_data"];
        let [all, with_name, carried] = tshark::counts(&file, filters);
        (hellos, named, data) = (hellos + all, named + with_name, data + carried);
    }
    assert!(hellos > 0 && data > ok, "{hellos} hellos, {data} frames of data, {ok} requests");
    assert_eq!(hellos, named, "a hello without a server's name");
}

#[test]
fn what_the_network_did_stands_beside_the_packets() {
    if !tshark::here() {
        return;
    }
    let dir = Dir::new("comments");
    let outcome = run(&dir.scenario(BAD_LINE), &dir.captures(), &[]);
    let found = judge(&dir.captures());
    assert_eq!(found.sent_again, outcome.packets.retransmitted);
    let link = &outcome.links["gw-shop"];
    let comments = |file: &str| tshark::comments(&dir.captures().join(file));
    let of = |comments: &[String], words: &str| comments.iter().filter(|line| line.contains(words)).count() as u64;
    let (there, back) = (comments("gw.gw-shop.pcapng"), comments("shop.pcapng"));
    for (direction, sent, received) in [(&link.a_to_b, &there, &back), (&link.b_to_a, &back, &there)] {
        for (cause, words) in [("loss", "s: loss"), ("corrupted", "s: corrupted"), ("queue_full", "link: queue full")] {
            let expected = direction.drops.get(cause).copied().unwrap_or(0);
            assert_eq!(of(sent, words), expected, "{cause}");
        }
        assert!(of(sent, "overtaken") > 0);
        assert!(of(received, "this is the copy") > 0);
    }
    assert!(link.b_to_a.drops.get("queue_full").is_some_and(|&n| n > 0), "{:?}", link.b_to_a.drops);
    let copies = of(&there, "this is the copy") + of(&back, "this is the copy");
    assert_eq!(copies, outcome.packets.duplicated);
}

/// What does not fit into a datagram is asked for again over TCP, and tshark reads all ninety addresses there.
#[test]
fn name_service_over_tcp_can_be_read() {
    if !tshark::here() {
        return;
    }
    let dir = Dir::new("dns-over-tcp");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/dns-hierarchy.ron");
    run(&scenario, &dir.captures(), &["--pcap-at", "dns"]);
    let judged = judge(&dir.captures());
    assert!(judged.frames > 0);
    let [file] = &files(&dir.captures())[..] else { panic!("{:?}", names(&dir.captures())) };
    let truncated = "udp.port == 53 and dns.flags.response == 1 and dns.flags.truncated == 1";
    let whole = "tcp.port == 53 and dns.flags.response == 1 and dns.count.answers == 90";
    // From the shop's server to the resolver, and from there to each of the two users who ask.
    assert_eq!(tshark::counts(file, [truncated, whole]), [3, 3]);
}
