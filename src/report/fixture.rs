//! Outcomes made by hand, for the tests of every rendering.

use crate::run::anycast::{AnnouncerOutcome, AnycastOutcome, WithdrawalOutcome};
use crate::run::balancing::{BackendOutcome, BalancerOutcome, JudgementOutcome};
use crate::run::edges::{EdgeOutcome, PurgeOutcome};
use crate::run::outcome::{
    BreakerChange, Counts, DirectionOutcome, Expectation, HopOutcome, Latency, LinkOutcome, MODEL_VERSION, Outcome,
    Packets, Performance, QueueOutcome, Resilience, ServerOutcome, Share, Slowest, Specimen, TrafficKind,
    TrafficOutcome,
};
use crate::run::registry::StayOutcome;
use crate::run::roaming::{HomeOutcome, MoveOutcome};
use crate::run::series::{QueueSeries, SenderSeries, SeriesOutcome};
use crate::run::stores::{ChangeOutcome, MemberOutcome, Reads, StoreOutcome, Writes};
use crate::run::timeline::{NoticeOutcome, StrikeOutcome, TouchedOutcome};
use indexmap::IndexMap;

fn named(pairs: &[(&str, u64)]) -> IndexMap<String, u64> {
    pairs.iter().map(|&(name, n)| (name.to_owned(), n)).collect()
}

const REQUEST: [(&str, u64); 8] = [
    ("dns", 220_000),
    ("connect", 56_100_000),
    ("request_serialisation", 16_000),
    ("request_propagation", 27_850_000),
    ("server_work", 5_200_000),
    ("response_wait", 112_000_000),
    ("response_serialisation", 121_000),
    ("response_propagation", 27_850_000),
];

fn total(pairs: &[(&str, u64)]) -> u64 {
    pairs.iter().map(|(_, n)| n).sum()
}

/// Pages from New York to London, most of them well.
pub(crate) fn pages() -> TrafficOutcome {
    let mean = total(&REQUEST);
    let slow =
        [REQUEST.as_slice(), &[("request_recovery", 1_000_000_000), ("response_reorder_wait", 61_000_000)]].concat();
    TrafficOutcome {
        kind: TrafficKind::Requests,
        called: false,
        counts: Counts {
            started: 1_500,
            ok: 1_493,
            failed: 4,
            unfinished: 3,
            duplicates: 0,
            failed_by: named(&[("timeout", 3), ("reset", 1)]),
        },
        ok_share: Share::of(1_493, 1_497),
        latency_ns: Some(Latency {
            count: 1_493,
            min: 223_000_000,
            mean,
            p50: Some(mean),
            p90: Some(250_000_000),
            p99: Some(1_040_000_000),
            p99_9: None,
            max: 2_000_000_000,
            sum: mean * 1_493,
        }),
        light_floor_ns: Some(55_700_000),
        useful_bytes: 149_300_000,
        goodput_bps: 39_813_333,
        phases_ns: REQUEST.iter().map(|&(name, n)| (name.to_owned(), n * 1_493)).collect(),
        median: Some(Specimen { number: 17, latency_ns: mean, phases_ns: named(&REQUEST) }),
        slowest: Some(Slowest {
            count: 15,
            number: 812,
            latency_ns: total(&slow) * 15,
            phases_ns: slow.iter().map(|&(name, n)| (name.to_owned(), n * 15)).collect(),
        }),
        flows: Vec::new(),
        hops: Vec::new(),
        resilience: None,
        payments: None,
        sessions: None,
    }
}

/// The whole outcome around some traffic.
pub(crate) fn outcome(traffic: impl IntoIterator<Item = (&'static str, TrafficOutcome)>) -> Outcome {
    let direction = |packets, dropped: &[(&str, u64)], ppm| DirectionOutcome {
        packets,
        bytes: packets * 1_000,
        drops: named(dropped),
        marks: 0,
        utilisation: Share::of(ppm, 1_000_000).unwrap(),
        queue: QueueOutcome { max_bytes: 30_000, mean_bytes: 120 },
    };
    Outcome {
        scenario: "ny-london-shop".into(),
        seed: 7,
        digest: "3f9c1a07d2a85b11".into(),
        model_version: MODEL_VERSION,
        simulated_ns: 30_000_000_000,
        events: 1_000_000,
        packet_hops: 654_321,
        performance: Performance { wall_ns: 82_000_000, cpu_ns: 80_000_000 },
        packets: Packets {
            sent: 327_000,
            retransmitted: 1_480,
            retransmitted_quic: 20,
            duplicated: 0,
            delivered: 325_480,
            dropped: named(&[("loss", 1_510), ("no_listener", 4)]),
            in_flight: 6,
        },
        traffic: traffic.into_iter().map(|(name, traffic)| (name.to_owned(), traffic)).collect(),
        links: [
            (
                "user-edge",
                "user",
                "edge",
                direction(120_000, &[("queue_full", 2)], 12_000),
                direction(160_000, &[], 43_000),
            ),
            (
                "edge-origin",
                "edge",
                "origin",
                direction(119_000, &[], 310),
                direction(161_000, &[("loss", 1_510)], 430),
            ),
        ]
        .into_iter()
        .map(|(name, a, b, a_to_b, b_to_a)| (name.to_owned(), LinkOutcome { a: a.into(), b: b.into(), a_to_b, b_to_a }))
        .collect(),
        balancers: balancers(),
        judgements: vec![JudgementOutcome {
            at_ns: 12_500_000_000,
            who: "lb".into(),
            what: "down".into(),
            subject: "origin".into(),
        }],
        servers: [("origin".to_owned(), ServerOutcome::default())].into_iter().collect(),
        node_drops: [("origin".to_owned(), named(&[("no_listener", 4)]))].into_iter().collect(),
        stores: IndexMap::new(),
        edges: IndexMap::new(),
        purges: Vec::new(),
        anycast: IndexMap::new(),
        registries: IndexMap::new(),
        moves: Vec::new(),
        timeline: Vec::new(),
        series: Some(SeriesOutcome {
            every_ns: 10_000_000,
            senders: vec![SenderSeries {
                node: "origin".into(),
                peer: "user".into(),
                local: "10.0.0.3:80".into(),
                remote: "10.0.0.1:32769".into(),
                flow: 5,
                time_ns: vec![56_000_000, 84_000_000],
                cwnd_bytes: vec![14_480, 10_136],
                ssthresh_bytes: vec![None, Some(10_136)],
                in_flight_bytes: vec![14_480, 8_688],
                srtt_ns: vec![0, 56_100_000],
                rttvar_ns: vec![0, 28_050_000],
                rto_ns: vec![1_000_000_000, 256_100_000],
                pacing_bps: vec![None, Some(8_000_000)],
                retransmitted: vec![0, 1],
            }],
            queues: vec![QueueSeries {
                link: "edge-origin".into(),
                from: "origin".into(),
                to: "edge".into(),
                max_bytes: vec![430, 0],
                mean_bytes: vec![12, 0],
                max_packets: vec![2, 0],
            }],
        }),
        expect: vec![
            Expectation { text: "pages p99 <= 450 ms".into(), ok: false, measured: "1.04 s".into() },
            Expectation { text: "pages success >= 99.5%".into(), ok: true, measured: "99.7%".into() },
        ],
        warnings: vec!["the run ended before origin/2 was back".into()],
    }
}

/// Gives an outcome an edge and a purge.
pub(crate) fn cache(outcome: &mut Outcome) {
    let edge = EdgeOutcome {
        requests: 1_000,
        hits: 700,
        stale: 20,
        revalidated: 30,
        coalesced: 50,
        misses: 200,
        hit_ratio: Share::of(720, 1_000),
        byte_hit_ratio: Share::of(750, 1_000),
        bytes_sent: 20_000_000,
        bytes_from_store: 15_000_000,
        bytes_fetched: 4_000_000,
        fetches: 230,
        validated: 30,
        evicted: 90,
        purged: 1,
        outdated: 4,
        ..EdgeOutcome::default()
    };
    outcome.edges.insert("edge".into(), edge);
    outcome.purges.push(PurgeOutcome {
        by: "control".into(),
        at_ns: 10_000_000_000,
        edges_ns: named(&[("edge", 75_000_000)]),
        missed: vec!["edge/2".into()],
        removed: 1,
        last_outdated_ns: Some(60_000_000),
    });
}

/// A cut that a user noticed after 204 ms.
pub(crate) fn strike() -> StrikeOutcome {
    let touched = TouchedOutcome {
        failed: 2,
        first_failure_ns: Some(11_000_000_000),
        last_failure_ns: Some(12_000_000_000),
        recovered_ns: Some(12_100_000_000),
    };
    StrikeOutcome {
        fault: "cut edge-origin".into(),
        kind: "Cut".into(),
        struck_ns: 10_000_000_000,
        healed_ns: Some(15_000_000_000),
        lost: named(&[("down", 17)]),
        rerouted_ns: Some(11_000_000_000),
        restored_ns: Some(16_000_000_000),
        noticed: vec![NoticeOutcome { node: "user".into(), at_ns: 10_204_000_000, by: "rto".into() }],
        traffic: [("pages".to_owned(), touched)].into_iter().collect(),
    }
}

fn balancers() -> IndexMap<String, BalancerOutcome> {
    [(
        "lb".to_owned(),
        BalancerOutcome {
            backends: [(
                "origin".to_owned(),
                BackendOutcome {
                    sent: 1_000,
                    again: 3,
                    failed: named(&[("refused", 3)]),
                    active: 2,
                    most_active: 17,
                    probes: 30,
                    probes_failed: 4,
                },
            )]
            .into_iter()
            .collect(),
            refused: named(&[("no_backend", 5)]),
        },
    )]
    .into_iter()
    .collect()
}

/// Retries, hedges and a breaker at work.
pub(crate) fn resilience() -> Resilience {
    Resilience {
        tries: 1_620,
        retries: 90,
        saved_by_retry: 80,
        hedges: 30,
        saved_by_hedge: 20,
        failed_tries: named(&[("timeout", 100)]),
        breaker: vec![BreakerChange { at_ns: 5_000_000_000, node: "user".into(), state: "open".into() }],
    }
}

/// A traceroute with one silent hop.
pub(crate) fn route() -> TrafficOutcome {
    let latency = |nanos| Latency {
        count: 3,
        min: nanos,
        mean: nanos + 2,
        p50: None,
        p90: None,
        p99: None,
        p99_9: None,
        max: nanos + 4,
        sum: 3 * nanos + 6,
    };
    let hop = |ttl, answered_by: &[&str], nanos| HopOutcome {
        ttl,
        sent: 3,
        answered_by: answered_by.iter().map(ToString::to_string).collect(),
        reached: ttl == 3,
        latency_ns: (!answered_by.is_empty()).then(|| latency(nanos)),
    };
    TrafficOutcome {
        kind: TrafficKind::Route,
        called: false,
        counts: Counts { started: 9, ok: 6, failed: 3, failed_by: named(&[("timeout", 3)]), ..Counts::default() },
        ok_share: Share::of(6, 9),
        latency_ns: Some(latency(8_000_000)),
        light_floor_ns: None,
        useful_bytes: 0,
        goodput_bps: 0,
        phases_ns: named(&[("propagation", 24_000_006)]),
        median: None,
        slowest: None,
        flows: Vec::new(),
        hops: vec![hop(1, &["10.0.0.1"], 8_000_000), hop(2, &[], 0), hop(3, &["10.0.9.9"], 56_000_000)],
        resilience: None,
        payments: None,
        sessions: None,
    }
}

/// A store of one member that has changed hands.
pub(crate) fn store() -> StoreOutcome {
    let member =
        MemberOutcome { reads: 400, stale: 4, refused: 2, applied: 90, discarded: 1, lag_ns: pages().latency_ns };
    let change = ChangeOutcome { at_ns: 12_000_000_000, member: "positions".into(), what: "promoted".into(), epoch: 2 };
    StoreOutcome {
        writes: Writes { acknowledged: 94, lost: 1, refused: 2 },
        reads: Reads { answered: 400, stale: 4 },
        members: [("positions".to_owned(), member)].into_iter().collect(),
        changes: vec![change],
    }
}

/// An address that two machines announce, one of them not all the time.
pub(crate) fn anycast() -> AnycastOutcome {
    let gone = WithdrawalOutcome {
        at_ns: 10_000_000_000,
        rerouted_ns: Some(11_000_000_000),
        announced_ns: Some(30_000_000_000),
        restored_ns: None,
    };
    let members = [
        ("lb-london".to_owned(), AnnouncerOutcome::default()),
        ("lb-ny".to_owned(), AnnouncerOutcome { withdrawn: vec![gone] }),
    ];
    AnycastOutcome { address: "10.0.9.1".into(), members: members.into() }
}

/// A host that went from one of its links to another.
pub(crate) fn moved() -> MoveOutcome {
    let home = |address: &str, via: &str| Some(HomeOutcome { address: address.into(), via: via.into() });
    MoveOutcome {
        node: "phone".into(),
        at_ns: 10_000_000_000,
        from: home("10.0.0.2", "access-point"),
        to: home("10.0.1.2", "tower"),
        tcp_ended: 2,
        quic_migrated: 1,
        quic_ended: 0,
        validated_ns: Some(10_060_000_000),
    }
}

/// An instance that signed on, died, and was asked for a while all the same.
pub(crate) fn stay() -> StayOutcome {
    StayOutcome {
        instance: "shop/2".into(),
        registered_ns: 1_000_000,
        first_call_ns: Some(40_000_000),
        heard_ns: Some(9_000_000_000),
        dropped_ns: Some(12_000_000_000),
        signed_off: false,
        stale_calls: 17,
        last_stale_ns: Some(13_500_000_000),
    }
}
