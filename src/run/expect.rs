//! Expectations: what the scenario says must hold, judged on exact samples and counters.

use super::outcome::{Expectation, Share};
use super::summarise::LinkCounters;
use super::timeline::StrikeOutcome;
use crate::base::{BitRate, Ratio, Span, Time};
use crate::link::Counters;
use crate::observe::balancers::Balancing;
use crate::observe::edges::{Edge, Purge};
use crate::observe::samples::BEYOND;
use crate::observe::stores::Store;
use crate::observe::{Percentile, Sorted, Traffic};
use crate::scenario::plan::{Bounds, Expect, Measure, Node, Quantity, Statistic, Way, Window};
use crate::trace::Cause;
use std::collections::BTreeMap;

/// What is known when a run has ended.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What the observers saw, in the plan's order.
    pub traffic: &'a [Traffic],
    /// What the links counted, in the plan's order.
    pub links: &'a [LinkCounters],
    /// The strikes of faults.
    pub timeline: &'a [StrikeOutcome],
    /// What balancers did and what was noticed.
    pub balancing: &'a Balancing,
    /// The plan's nodes.
    pub nodes: &'a [Node],
    /// What the observers saw of the stores, in the plan's order.
    pub stores: &'a [Store],
    /// What edges did, and the purges.
    pub edges: &'a (BTreeMap<u32, Edge>, Vec<Purge>),
    /// How long the run was.
    pub simulated: Span,
}

/// What was measured: whether it is as expected, and how it reads.
type Verdict = (bool, String);

/// Judges one expectation. What cannot be known is not as expected: nothing ended well, or too few samples lie beyond a
/// percentile.
#[must_use]
pub fn judge(expect: &Expect, evidence: &Evidence<'_>) -> Expectation {
    let Some(Window { since, until }) = expect.window else { return judge_whole(&expect.measure, evidence) };
    let parts: Vec<Traffic> = evidence.traffic.iter().map(|traffic| traffic.within(since, until)).collect();
    let mut judged = judge_whole(&expect.measure, &Evidence { traffic: &parts, ..*evidence });
    let end = |time: Time| time.since(Time::ZERO).to_string();
    let place = match (since, until) {
        (since, Time::NEVER) => format!("since {}", end(since)),
        (Time::ZERO, until) => format!("until {}", end(until)),
        (since, until) => format!("from {} to {}", end(since), end(until)),
    };
    judged.text = format!("{} {place}", judged.text);
    judged
}

/// Judges what is measured over all that `evidence` holds.
fn judge_whole(measure: &Measure, evidence: &Evidence<'_>) -> Expectation {
    let name = |of: u32| &evidence.traffic[of as usize].plan.name;
    let traffic = |of: u32| &evidence.traffic[of as usize];
    let (text, (ok, measured)) = match measure {
        Measure::Latency { of, at, bounds } => {
            (format!("{} {at} {bounds}", name(*of)), latency(traffic(*of), *at, *bounds))
        }
        Measure::Phase { of, phase, at, bounds } => {
            let statistic = if matches!(at, Statistic::Mean) { "mean" } else { "median's" };
            (format!("{} {statistic} {phase} {bounds}", name(*of)), phase_of(traffic(*of), phase, *at, *bounds))
        }
        Measure::Success { of, bounds } => (format!("{} success {bounds}", name(*of)), success(traffic(*of), *bounds)),
        Measure::Tries { of, bounds } => (format!("{} tries {bounds}", name(*of)), tries(traffic(*of), *bounds)),
        Measure::ChargedAgain { of, bounds } => {
            let payments = &traffic(*of).payments;
            let again = payments.charges() - payments.charged.len() as u64;
            (format!("{} charged again {bounds}", name(*of)), (bounds.hold(again), again.to_string()))
        }
        Measure::LostSessions { of, bounds } => {
            let sessions = &traffic(*of).sessions;
            let none = || (false, "no session began".into());
            let verdict = if sessions.begun == 0 { none() } else { share(sessions.lost, sessions.begun, *bounds) };
            (format!("{} lost sessions {bounds}", name(*of)), verdict)
        }
        Measure::Count { of, bounds } => {
            let started = traffic(*of).counts.started;
            (format!("{} count {bounds}", name(*of)), (bounds.hold(started), started.to_string()))
        }
        Measure::Goodput { of, bounds } => (format!("{} goodput {bounds}", name(*of)), goodput(traffic(*of), *bounds)),
        Measure::LostWrites { store, bounds } => {
            let store = &evidence.stores[*store as usize];
            let lost = store.lost();
            let measured = format!("{lost} of {} acknowledged", store.acknowledged());
            (format!("{} lost writes {bounds}", store.name), (bounds.hold(lost), measured))
        }
        Measure::StaleReads { store, bounds } => {
            let store = &evidence.stores[*store as usize];
            let (reads, stale) = store.reads();
            let verdict = if reads == 0 { (false, "nothing was read".into()) } else { share(stale, reads, *bounds) };
            (format!("{} stale reads {bounds}", store.name), verdict)
        }
        Measure::Drops { link, way, cause, bounds } => {
            let link = &evidence.links[*link as usize];
            let cause_name = cause.map_or_else(String::new, |cause| format!(" ({})", cause.name().replace('_', " ")));
            (format!("{} drops{cause_name} {bounds}", place(link, *way)), drops(link, *way, *cause, *bounds))
        }
        Measure::Marks { link, way, bounds } => {
            let link = &evidence.links[*link as usize];
            (format!("{} marks {bounds}", place(link, *way)), marks(link, *way, *bounds))
        }
        Measure::Busiest { of, at_a_time, bounds } => {
            let what = if *at_a_time { " at a time" } else { "" };
            let name = &evidence.nodes[*of as usize].name;
            (format!("{name} busiest{what} {bounds}"), busiest(evidence, *of, *at_a_time, *bounds))
        }
        Measure::Sent { by, to, bounds } => {
            let name = |node: u32| &evidence.nodes[node as usize].name;
            let known = evidence.balancing.balancers.get(by).and_then(|balancer| balancer.backends.get(to));
            let sent = known.map_or(0, |backend| backend.sent);
            (format!("{} to {} {bounds}", name(*by), name(*to)), (bounds.hold(sent), sent.to_string()))
        }
        Measure::Noticed { by, what, of, bounds } => {
            let name = |node: u32| &evidence.nodes[node as usize].name;
            let mut notices = evidence.balancing.judgements.iter();
            let first = notices.find(|notice| (notice.node, notice.what, notice.subject) == (*by, *what, *of));
            let verdict = first.map_or((false, "never".into()), |notice| {
                let at = notice.time - Time::ZERO;
                (bounds.hold(at), at.to_string())
            });
            (format!("{} {} by {} {bounds}", name(*of), what.name(), name(*by)), verdict)
        }
        Measure::Utilisation { link, way, bounds } => {
            let link = &evidence.links[*link as usize];
            let verdict = utilisation(link, *way, evidence.simulated, *bounds);
            (format!("{} utilisation {bounds}", place(link, *way)), verdict)
        }
        Measure::Detected { fault, by, bounds } => {
            let who = by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
            (format!("{fault} detected{who} {bounds}"), detected(evidence.timeline, fault, by.as_deref(), *bounds))
        }
        Measure::HitRatio { .. } | Measure::Fetches { .. } | Measure::Outdated { .. } | Measure::Purged { .. } => {
            of_edges(measure, evidence)
        }
        Measure::Recovered { of, fault, from_heal, bounds } => {
            let from = if *from_heal { "heals" } else { "strikes" };
            let text = format!("{} back after {fault} {from} {bounds}", name(*of));
            (text, recovered(evidence.timeline, fault, name(*of), *from_heal, *bounds))
        }
    };
    Expectation { text, ok, measured }
}

/// What is measured of edges and their control points.
fn of_edges(measure: &Measure, evidence: &Evidence<'_>) -> (String, Verdict) {
    match measure {
        Measure::HitRatio { name, edges, bytes, bounds } => {
            let sum = added(evidence, edges);
            let (what, part, whole) = match bytes {
                true => ("byte hit ratio", sum.bytes_from_store, sum.bytes_sent),
                false => ("hit ratio", sum.hits(), sum.requests()),
            };
            let verdict = if whole == 0 { (false, "nothing was asked".into()) } else { share(part, whole, *bounds) };
            (format!("{name} {what} {bounds}"), verdict)
        }
        Measure::Fetches { name, edges, bounds } => {
            let fetches = added(evidence, edges).fetches;
            (format!("{name} fetches {bounds}"), (bounds.hold(fetches), fetches.to_string()))
        }
        Measure::Outdated { name, edges, bounds } => {
            let outdated = added(evidence, edges).outdated;
            (format!("{name} outdated answers {bounds}"), (bounds.hold(outdated), outdated.to_string()))
        }
        Measure::Purged { by, bounds } => {
            (format!("{} purged {bounds}", evidence.nodes[*by as usize].name), purged(evidence, *by, *bounds))
        }
        _ => (String::new(), (false, "not of edges".into())),
    }
}

/// What these edges did, together.
fn added(evidence: &Evidence<'_>, edges: &[u32]) -> Edge {
    let mut sum = Edge::default();
    edges.iter().filter_map(|edge| evidence.edges.0.get(edge)).for_each(|edge| sum.add(edge));
    sum
}

/// The longest time that a purge of a control point took, up to the last edge and the last outdated answer.
fn purged(evidence: &Evidence<'_>, by: u32, bounds: Bounds<Span>) -> Verdict {
    let crate::scenario::plan::NodeKind::PurgeControl(control) = &evidence.nodes[by as usize].kind else {
        return (false, "nothing purges here".into());
    };
    let took = evidence.edges.1.iter().filter(|purge| purge.control == by).map(|purge| {
        let applied =
            purge.done.iter().map(|(_, at, _)| *at).max().filter(|_| purge.done.len() == control.edges.len())?;
        Some(purge.last_outdated.map_or(applied, |last| last.max(applied)) - purge.began)
    });
    judge_strikes(took, "never", bounds)
}

/// Share of what a balancer sent, or of the most that its backends had at a time, that the busiest of them got.
fn busiest(evidence: &Evidence<'_>, of: u32, at_a_time: bool, bounds: Bounds<Ratio>) -> Verdict {
    let backends = evidence.balancing.balancers.get(&of).into_iter().flat_map(|balancer| balancer.backends.values());
    let counts = backends.map(|backend| if at_a_time { u64::from(backend.most_active) } else { backend.sent });
    let (most, all) = counts.fold((0, 0), |(most, all), n| (n.max(most), n + all));
    if all == 0 { (false, "nothing was sent".into()) } else { share(most, all, bounds) }
}

fn latency(traffic: &Traffic, at: Statistic, bounds: Bounds<Span>) -> Verdict {
    let sorted = traffic.samples.sorted();
    let measured = match at {
        Statistic::Min => sorted.min(),
        Statistic::Mean => sorted.mean(),
        Statistic::Max => sorted.max(),
        Statistic::Percentile(ratio) => match ppm(ratio) {
            1_000_000 => sorted.max(),
            ppm => Percentile::from_ppm(ppm).and_then(|percentile| sorted.percentile(percentile)),
        },
    };
    measured.map_or_else(|| (false, unknown(&sorted)), |span| (bounds.hold(span), span.to_string()))
}

/// Why a latency is not known.
fn unknown(sorted: &Sorted) -> String {
    match sorted.count() {
        0 => "nothing ended well".into(),
        n => format!("too few: of {n} samples, {BEYOND} must lie beyond"),
    }
}

/// Mean of a phase over all that ended well, or that of the one at the median.
fn phase_of(traffic: &Traffic, phase: &str, at: Statistic, bounds: Bounds<Span>) -> Verdict {
    let count = traffic.samples.as_slice().len();
    let find = |mut phases: Box<dyn Iterator<Item = (crate::observe::Phase, Span)> + '_>| {
        phases.find(|(candidate, _)| candidate.name() == phase).map(|(_, span)| span)
    };
    let measured = if matches!(at, Statistic::Mean) {
        find(Box::new(traffic.totals())).filter(|_| count > 0).map(|total| total / count as u64)
    } else {
        traffic.median(&traffic.samples.sorted()).and_then(|index| find(Box::new(traffic.budget(index).iter())))
    };
    measured.map_or_else(|| (false, "nothing ended well".into()), |span| (bounds.hold(span), span.to_string()))
}

fn success(traffic: &Traffic, bounds: Bounds<Ratio>) -> Verdict {
    let Some((ok, whole)) = traffic.ok_of() else { return (false, "nothing ended".into()) };
    share(ok, whole, bounds)
}

/// Tries of each request that began, on average.
fn tries(traffic: &Traffic, bounds: Bounds<f64>) -> Verdict {
    let requests = traffic.counts.started;
    if requests == 0 {
        return (false, "nothing began".into());
    }
    let each = traffic.efforts.tries as f64 / requests as f64;
    (bounds.hold(each), format!("{each:.3}"))
}

/// Judges `part` of `whole` exactly, to a millionth in the bounds.
fn share(part: u64, whole: u64, bounds: Bounds<Ratio>) -> Verdict {
    let scaled = |ratio: Ratio| u128::from(ppm(ratio)) * u128::from(whole);
    let bounds = Bounds { at_least: bounds.at_least.map(scaled), at_most: bounds.at_most.map(scaled) };
    let shown = Share::of(part, whole).unwrap_or_default();
    (bounds.hold(u128::from(part) * 1_000_000), shown.to_string())
}

fn goodput(traffic: &Traffic, bounds: Bounds<BitRate>) -> Verdict {
    let bps = traffic.goodput_bps();
    let bounds =
        Bounds { at_least: bounds.at_least.map(BitRate::as_bps), at_most: bounds.at_most.map(BitRate::as_bps) };
    (bounds.hold(bps), BitRate::from_bps(bps).map_or_else(|| "0 bps".into(), |rate| rate.to_string()))
}

/// A link or a direction of it, as a person calls it.
fn place(link: &LinkCounters, way: Option<Way>) -> String {
    match way {
        None => link.name.clone(),
        Some(Way::AToB) => format!("{} > {}", link.a, link.b),
        Some(Way::BToA) => format!("{} > {}", link.b, link.a),
    }
}

fn directions(link: &LinkCounters, way: Option<Way>) -> Vec<&Counters> {
    match way {
        None => vec![&link.a_to_b, &link.b_to_a],
        Some(Way::AToB) => vec![&link.a_to_b],
        Some(Way::BToA) => vec![&link.b_to_a],
    }
}

fn drops(link: &LinkCounters, way: Option<Way>, cause: Option<Cause>, bounds: Bounds<Quantity>) -> Verdict {
    let directions = directions(link, way);
    let wanted = |candidate: Cause| cause.is_none_or(|cause| cause == candidate);
    let of = |counters: &Counters| {
        Cause::ALL.iter().zip(counters.dropped).filter(|(cause, _)| wanted(**cause)).map(|(_, n)| n).sum::<u64>()
    };
    let dropped: u64 = directions.iter().map(|counters| of(counters)).sum();
    let offered: u64 = directions.iter().map(|counters| counters.offered()).sum();
    quantity(dropped, offered, bounds)
}

fn marks(link: &LinkCounters, way: Option<Way>, bounds: Bounds<Quantity>) -> Verdict {
    let directions = directions(link, way);
    let marked = directions.iter().map(|counters| counters.marked).sum();
    quantity(marked, directions.iter().map(|counters| counters.sent).sum(), bounds)
}

/// Judges `part` of `whole` by its number or its share.
fn quantity(part: u64, whole: u64, bounds: Bounds<Quantity>) -> Verdict {
    let counted = |quantity: Option<Quantity>| match quantity {
        Some(Quantity::Count(n)) => (Some(n), None),
        Some(Quantity::Share(ratio)) => (None, Some(ratio)),
        None => (None, None),
    };
    let (least_count, least_share) = counted(bounds.at_least);
    let (most_count, most_share) = counted(bounds.at_most);
    let by_count = Bounds { at_least: least_count, at_most: most_count }.hold(part);
    let (by_share, shown) = share(part, whole, Bounds { at_least: least_share, at_most: most_share });
    (by_count && by_share, format!("{part} of {whole} ({shown})"))
}

fn utilisation(link: &LinkCounters, way: Option<Way>, simulated: Span, bounds: Bounds<Ratio>) -> Verdict {
    let busiest = directions(link, way).into_iter().map(|counters| counters.busy).max().unwrap_or_default();
    share(busiest.min(simulated).as_nanos(), simulated.as_nanos(), bounds)
}

/// The latest first evidence over all strikes of a fault.
fn detected(timeline: &[StrikeOutcome], fault: &str, by: Option<&str>, bounds: Bounds<Span>) -> Verdict {
    let first = |strike: &StrikeOutcome| {
        let mut evidence = strike.noticed.iter().filter(|notice| by.is_none_or(|by| notice.node == by));
        evidence.next().map(|notice| Span::from_nanos(notice.at_ns - strike.struck_ns))
    };
    judge_strikes(timeline.iter().filter(|strike| strike.fault == fault).map(first), "not detected", bounds)
}

/// The latest recovery of a traffic over all strikes of a fault that touched it.
fn recovered(timeline: &[StrikeOutcome], fault: &str, traffic: &str, from_heal: bool, bounds: Bounds<Span>) -> Verdict {
    let strikes = timeline.iter().filter(|strike| strike.fault == fault);
    let back = strikes.filter_map(|strike| {
        let touched = strike.traffic.get(traffic)?;
        let from = if from_heal { strike.healed_ns } else { Some(strike.struck_ns) };
        // Service that is back before the fault is over needs no time after it.
        Some(touched.recovered_ns.zip(from).map(|(at, from)| Span::from_nanos(at.saturating_sub(from))))
    });
    judge_strikes(back, "never", bounds)
}

/// Judges the longest of the spans, one for each strike.
fn judge_strikes(spans: impl Iterator<Item = Option<Span>>, missing: &str, bounds: Bounds<Span>) -> Verdict {
    let spans: Vec<Option<Span>> = spans.collect();
    match spans.iter().copied().collect::<Option<Vec<Span>>>() {
        None => (false, missing.into()),
        Some(spans) => match spans.into_iter().max() {
            None => (false, "nothing happened".into()),
            Some(longest) => (bounds.hold(longest), longest.to_string()),
        },
    }
}

/// A ratio in whole parts per million.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio lies between 0 and 1")]
fn ppm(ratio: Ratio) -> u32 {
    libm::round(ratio.get() * 1e6) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Kind, Metrics, Plan};
    use crate::trace::{Progress, Record};

    /// Transfers of one to `count` milliseconds, a tenth of a second apart, each of 1,000 bytes; every twentieth goes on.
    fn transfers(count: u32, measure_from: Time) -> Traffic {
        let mut metrics = Metrics::new([Plan {
            name: "bulk".into(),
            kind: Kind::Bulk,
            light_floor: None,
            measure_from,
            tries_again: false,
            pays: false,
            sessions: false,
            called: false,
        }]);
        for flow in 0..count {
            let began = Time::ZERO + Span::from_millis(100) * u64::from(flow);
            let time = began + Span::from_millis(u64::from(flow) + 1);
            let progress = Progress { traffic: 0, flow, time, bytes: 1_000, began, finished: flow % 20 != 19 };
            metrics.record(&Record::Progress(progress));
        }
        metrics.finish().remove(0)
    }

    fn at_most<T>(most: T) -> Bounds<T> {
        Bounds { at_least: None, at_most: Some(most) }
    }

    fn at_least<T>(least: T) -> Bounds<T> {
        Bounds { at_least: Some(least), at_most: None }
    }

    fn ratio(value: f64) -> Ratio {
        Ratio::new(value).unwrap()
    }

    fn judged(traffic: &Traffic, measure: Measure) -> Expectation {
        let (a_to_b, b_to_a) = Default::default();
        let mut link = LinkCounters { name: "l".into(), a: "a".into(), b: "b".into(), a_to_b, b_to_a };
        link.a_to_b = Counters { sent: 995, busy: Span::from_millis(250), ..Counters::default() };
        link.a_to_b.dropped[Cause::Loss as usize] = 20;
        link.a_to_b.dropped[Cause::QueueFull as usize] = 5;
        let balancing = Balancing::default();
        let edges = Default::default();
        let evidence = Evidence {
            balancing: &balancing,
            nodes: &[],
            edges: &edges,
            stores: &[],
            traffic: std::slice::from_ref(traffic),
            links: std::slice::from_ref(&link),
            timeline: &[],
            simulated: Span::from_secs(1),
        };
        judge(&Expect { declared: crate::scenario::ast::Span::default(), window: None, measure }, &evidence)
    }

    #[test]
    fn bounds_belong_to_what_is_allowed() {
        let traffic = transfers(19, Time::ZERO);
        let max = |millis| {
            let bounds = at_most(Span::from_millis(millis));
            judged(&traffic, Measure::Latency { of: 0, at: Statistic::Max, bounds })
        };
        assert!(max(19).ok && !max(18).ok);
        assert_eq!(max(18).text, "bulk max <= 18.0 ms");
        assert_eq!(max(18).measured, "19.0 ms");
        let traffic = transfers(20, Time::ZERO);
        let share = |value| judged(&traffic, Measure::Success { of: 0, bounds: at_least(ratio(value)) });
        assert!(share(0.95).ok && !share(0.950_001).ok);
        assert_eq!(share(0.95).text, "bulk success >= 95%");
    }

    #[test]
    fn what_cannot_be_known_is_not_as_expected() {
        let at = Statistic::Percentile(ratio(0.5));
        let p50 = Measure::Latency { of: 0, at, bounds: at_most(Span::MAX) };
        let few = judged(&transfers(19, Time::ZERO), p50.clone());
        assert!(!few.ok);
        assert_eq!(few.measured, "too few: of 19 samples, 10 must lie beyond");
        assert!(judged(&transfers(22, Time::ZERO), p50.clone()).ok);
        assert_eq!(judged(&transfers(0, Time::ZERO), p50).measured, "nothing ended well");
        // The 100th percentile is the longest, of however few.
        let at = Statistic::Percentile(ratio(1.0));
        assert!(judged(&transfers(1, Time::ZERO), Measure::Latency { of: 0, at, bounds: at_most(Span::MAX) }).ok);
    }

    #[test]
    fn goodput_is_judged_from_where_it_is_measured() {
        // 1,000 bytes every 100 ms are 80 kb/s; the last comes a little late.
        let bounds = at_least(BitRate::from_bps(79_000).unwrap());
        let measure = Measure::Goodput { of: 0, bounds };
        assert!(judged(&transfers(40, Time::ZERO + Span::from_secs(1)), measure.clone()).ok);
        let none = judged(&transfers(40, Time::ZERO + Span::from_secs(100)), measure);
        assert_eq!((none.ok, none.measured.as_str()), (false, "0 bps"));
    }

    #[test]
    fn links_are_judged_by_direction_cause_number_and_share() {
        let traffic = transfers(1, Time::ZERO);
        let drops = |way, cause, bounds| judged(&traffic, Measure::Drops { link: 0, way, cause, bounds });
        let share = |value| Quantity::Share(ratio(value));
        assert!(drops(None, None, at_most(Quantity::Count(25))).ok);
        assert!(!drops(None, None, at_most(Quantity::Count(24))).ok);
        assert!(drops(None, Some(Cause::Loss), at_most(share(0.02))).ok);
        assert!(!drops(None, Some(Cause::Loss), at_most(share(0.019))).ok);
        assert!(drops(Some(Way::BToA), None, at_most(Quantity::Count(0))).ok);
        let told = drops(Some(Way::AToB), Some(Cause::QueueFull), at_least(Quantity::Count(6)));
        assert_eq!((told.ok, told.text.as_str()), (false, "a > b drops (queue full) >= 6"));
        assert_eq!(told.measured, "5 of 1000 (0.5%)");
        let busy = |value| judged(&traffic, Measure::Utilisation { link: 0, way: None, bounds: at_most(ratio(value)) });
        assert!(busy(0.25).ok && !busy(0.249_999).ok);
    }

    #[test]
    fn a_phase_is_judged_by_its_mean_or_at_the_median() {
        let traffic = transfers(19, Time::ZERO);
        let phase = |at| Measure::Phase { of: 0, phase: "transfer", at, bounds: at_most(Span::from_millis(10)) };
        // One to nineteen milliseconds: both are ten.
        assert!(judged(&traffic, phase(Statistic::Mean)).ok);
        assert!(judged(&traffic, phase(Statistic::Percentile(ratio(0.5)))).ok);
        assert_eq!(judged(&traffic, phase(Statistic::Mean)).text, "bulk mean transfer <= 10.0 ms");
        assert!(!judged(&transfers(0, Time::ZERO), phase(Statistic::Mean)).ok);
    }

    #[test]
    fn scenarios_name_phases_as_results_do() {
        use crate::scenario::plan::{Messages, TrafficKind};
        use crate::scenario::schema::phases;
        let messages = TrafficKind::Messages(Messages {
            pairs: vec![],
            port: 0,
            bytes: 0,
            every: Span::ZERO,
            carrier: crate::scenario::plan::Carrier::Udp,
            limit: crate::service::Limit::NONE,
            rebinds: None,
        });
        let names: Vec<&str> = Kind::Messages.phases().iter().map(|phase| phase.name()).collect();
        assert_eq!(phases(&messages), names);
    }
}
