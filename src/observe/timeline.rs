//! The timeline of faults: when each struck, what was lost to it, who noticed by what, when routes and service were back.
//!
//! A machine's evidence counts for a fault if the fault took packets of the flow that it is about, or if it was talking to a machine
//! that the fault is on. A failed request counts for every fault that lasted while it was under way, but not for one on machines that
//! only other traffic asks. A strike collects evidence until
//! its fault strikes again: who waits for a timer learns of a short fault after it is over.
//!
//! Routes follow what routers see of a fault, and what machines that it is on announce: a shared address comes back when its machine has
//! found itself well again, which may be long after the links.

use crate::base::Time;
use crate::trace::{Announcement, Cause, Judged, Judgement, Notice, Record, Request, Rerouted, What};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What must be known of a fault before the run.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Addresses of the machines that it is on.
    pub machines: Vec<Ipv4Addr>,
    /// Their numbers in the plan.
    pub nodes: Vec<u32>,
    /// Numbers of the traffic whose failures may be due to it; `None` for all.
    pub traffic: Option<Vec<u32>>,
}

impl FaultPlan {
    fn may_touch(&self, traffic: u32) -> bool {
        self.traffic.as_ref().is_none_or(|only| only.contains(&traffic))
    }
}

/// One strike of a fault.
#[derive(Clone, Debug)]
pub struct Strike {
    /// Number of the fault.
    pub fault: u32,
    /// When it struck.
    pub struck: Time,
    /// When it was over, if it was.
    pub healed: Option<Time>,
    /// Packets lost to it, by cause in the order of [`Cause::ALL`].
    pub lost: [u64; Cause::ALL.len()],
    /// When all routers used the routes that lead around it, if any do.
    pub rerouted: Option<Time>,
    /// When all routers used the routes that its end called for, and those to machines that have announced shared addresses again.
    pub restored: Option<Time>,
    /// The first evidence of each machine, in the order of time: its number, when, what.
    pub noticed: Vec<(u32, Time, What)>,
    /// What it did to each traffic that it touched, by number.
    pub traffic: BTreeMap<u32, Touched>,
    /// Flows that lost packets to it.
    flows: BTreeSet<u64>,
    last_lost: Time,
    /// Shared addresses that machines do not announce since it struck, and those machines.
    gone: BTreeSet<(u32, u32)>,
    /// Whether any of them was withdrawn.
    withdrew: bool,
}

/// What a strike did to a traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    /// Requests and echoes that failed and were under way while it lasted.
    pub failed: u64,
    /// When the first of them failed, and the last.
    pub failures: Option<(Time, Time)>,
    /// The first success after the last failure or loss: of any user after failures, else on a flow that had lost packets.
    pub recovered: Option<Time>,
}

/// Reads the timeline out of the records.
#[derive(Debug)]
pub struct Timeline {
    faults: Vec<FaultPlan>,
    strikes: Vec<Strike>,
    /// The latest strike of each fault.
    latest: Vec<Option<usize>>,
    /// Changes of routes under way because of announcements: which strikes they are due to, and whether to their beginning.
    changes: BTreeMap<u32, Vec<(usize, bool)>>,
    /// Records not taken in yet, with their times: those of programs come later than those of the world.
    waiting: Vec<(Time, Record)>,
}

impl Timeline {
    /// Nothing has happened yet to these faults, in the plan's order.
    #[must_use]
    pub fn new(faults: Vec<FaultPlan>) -> Self {
        let latest = vec![None; faults.len()];
        Self { faults, strikes: Vec::new(), latest, changes: BTreeMap::new(), waiting: Vec::new() }
    }

    /// Reads one record. Those that are read between two calls of [`Timeline::sort`] need not be in order.
    pub fn record(&mut self, record: &Record) {
        if self.faults.is_empty() {
            return;
        }
        let time = match record {
            Record::Fault(change) => change.time,
            Record::Lost(lost) => lost.time,
            Record::Rerouted(rerouted) => rerouted.time,
            Record::Announcement(announcement) => announcement.time,
            Record::Notice(notice) => notice.time,
            Record::Request(request) => request.end,
            Record::Message(message) => message.arrival.released,
            Record::Echo(echo) => echo.ended,
            Record::Judgement(judgement) => judgement.time,
            Record::Roamed(roamed) => roamed.time,
            _ => return,
        };
        self.waiting.push((time, *record));
    }

    /// Takes in what has been read, in the order of time.
    pub fn sort(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|&(time, _)| time);
        waiting.drain(..).for_each(|(_, record)| self.take_in(&record));
        self.waiting = waiting;
    }

    fn take_in(&mut self, record: &Record) {
        match record {
            Record::Fault(change) if change.strikes => {
                self.latest[change.fault as usize] = Some(self.strikes.len());
                self.strikes.push(Strike {
                    fault: change.fault,
                    struck: change.time,
                    healed: None,
                    lost: [0; Cause::ALL.len()],
                    rerouted: None,
                    restored: None,
                    noticed: Vec::new(),
                    traffic: BTreeMap::new(),
                    flows: BTreeSet::new(),
                    last_lost: Time::ZERO,
                    gone: BTreeSet::new(),
                    withdrew: false,
                });
            }
            Record::Fault(change) => {
                if let Some(strike) = self.latest(change.fault) {
                    strike.healed = Some(change.time);
                }
            }
            Record::Lost(lost) => {
                let Some(strike) = self.latest(lost.fault) else { return };
                strike.lost[lost.cause as usize] += 1;
                strike.flows.insert(lost.flow);
                strike.last_lost = lost.time;
            }
            Record::Rerouted(rerouted) => self.rerouted(rerouted),
            Record::Announcement(announcement) => self.announcement(announcement),
            Record::Notice(notice) => self.notice(notice),
            Record::Judgement(judgement) => self.judgement(judgement),
            Record::Roamed(roamed) if roamed.lost => {
                if let Some(strike) = self.latest(roamed.fault) {
                    strike.see(roamed.node, roamed.time, What::Carrier);
                }
            }
            Record::Request(request) => self.request(request),
            Record::Message(message) => self.success(message.traffic, &[message.flow], message.arrival.released),
            Record::Echo(echo) => match echo.answer {
                Some((_, at)) => self.success(echo.traffic, &[], at),
                None => self.failure(echo.traffic, (echo.sent, echo.ended)),
            },
            _ => {}
        }
    }

    /// The strikes in the order of time, and the faults that they are of.
    #[must_use]
    pub fn finish(mut self) -> (Vec<FaultPlan>, Vec<Strike>) {
        self.sort();
        (self.faults, self.strikes)
    }

    fn latest(&mut self, fault: u32) -> Option<&mut Strike> {
        let index = self.latest[fault as usize]?;
        self.strikes.get_mut(index)
    }

    /// The latest strikes, each with its fault.
    fn open(&mut self) -> impl Iterator<Item = (&FaultPlan, &mut Strike)> {
        let (faults, latest) = (&self.faults, &self.latest);
        let strikes = self.strikes.iter_mut().enumerate();
        strikes.filter_map(move |(index, strike)| {
            (latest[strike.fault as usize] == Some(index)).then(|| (&faults[strike.fault as usize], strike))
        })
    }

    fn rerouted(&mut self, rerouted: &Rerouted) {
        let Rerouted { change, fault, time, onset, around } = *rerouted;
        let own = fault.and_then(|fault| self.latest[fault as usize]).filter(|_| around || !onset);
        let said = self.changes.remove(&change).unwrap_or_default();
        for (index, onset) in own.map(|index| (index, onset)).into_iter().chain(said) {
            let strike = &mut self.strikes[index];
            if onset {
                strike.rerouted = strike.rerouted.or(Some(time));
            } else {
                strike.restored = strike.restored.max(Some(time));
            }
        }
    }

    /// A machine announces a shared address, or does so no more: because of the faults on it, if there are any.
    fn announcement(&mut self, announcement: &Announcement) {
        let Announcement { address, node, on, others, change, .. } = *announcement;
        let mut due = Vec::new();
        for (index, strike) in self.strikes.iter_mut().enumerate() {
            let fault = strike.fault as usize;
            if self.latest[fault] != Some(index) || !self.faults[fault].nodes.contains(&node) {
                continue;
            }
            if on {
                let back = strike.gone.remove(&(address, node)) && strike.healed.is_some();
                due.extend(back.then_some((index, false)));
            } else if strike.healed.is_none() || !strike.withdrew {
                // Of a short fault a machine may learn after it is over.
                strike.gone.insert((address, node));
                strike.withdrew = true;
                due.extend(others.then_some((index, true)));
            }
        }
        if !due.is_empty() {
            self.changes.entry(change).or_default().extend(due);
        }
    }

    fn notice(&mut self, notice: &Notice) {
        for (fault, strike) in self.open() {
            if strike.flows.contains(&notice.flow) || fault.machines.contains(&notice.peer) {
                strike.see(notice.node, notice.time, notice.what);
            }
        }
    }

    /// A balancer finds that a machine is not well.
    fn judgement(&mut self, judgement: &Judgement) {
        let Judgement { time, node, what, subject } = *judgement;
        if matches!(what, Judged::Down | Judged::Ejected) {
            for (_, strike) in self.open().filter(|(fault, _)| fault.nodes.contains(&subject)) {
                strike.see(node, time, What::Probe);
            }
        }
    }

    fn request(&mut self, request: &Request) {
        if request.failure.is_none() {
            return self.success(request.traffic, &[request.flow, request.lookup_flow], request.end);
        }
        self.failure(request.traffic, (request.start, request.end));
        let (start, end, traffic) = (request.start, request.end, request.traffic);
        for (_, strike) in self.open().filter(|(fault, it)| fault.may_touch(traffic) && it.overlaps(start, end)) {
            strike.see(request.node, request.end, What::Request);
        }
    }

    fn failure(&mut self, traffic: u32, (start, end): (Time, Time)) {
        for (_, strike) in self.open().filter(|(fault, it)| fault.may_touch(traffic) && it.overlaps(start, end)) {
            let touched = strike.traffic.entry(traffic).or_default();
            touched.failed += 1;
            touched.failures = Some((touched.failures.map_or(end, |(first, _)| first), end));
            touched.recovered = None;
        }
    }

    fn success(&mut self, traffic: u32, flows: &[u64], end: Time) {
        for (_, strike) in self.open() {
            let hit = flows.iter().any(|flow| strike.flows.contains(flow));
            let last_lost = strike.last_lost;
            let failed = strike.traffic.get(&traffic).is_some_and(|touched| touched.failed > 0);
            if !hit && !failed {
                continue;
            }
            let touched = strike.traffic.entry(traffic).or_default();
            if touched.recovered.is_none_or(|before| hit && !failed && before < last_lost) && end >= strike.struck {
                touched.recovered = Some(end);
            }
        }
    }
}

impl Strike {
    fn overlaps(&self, start: Time, end: Time) -> bool {
        end >= self.struck && self.healed.is_none_or(|healed| start < healed)
    }

    fn see(&mut self, node: u32, time: Time, what: What) {
        if time >= self.struck && !self.noticed.iter().any(|&(other, ..)| other == node) {
            self.noticed.push((node, time, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::trace::{FaultChange, Lost, Message};

    fn ms(n: u64) -> Time {
        Time::ZERO + Span::from_millis(n)
    }

    fn fault(time: u64, strikes: bool) -> Record {
        Record::Fault(FaultChange { fault: 0, time: ms(time), strikes })
    }

    fn notice(time: u64, node: u32, flow: u64, peer: u8) -> Record {
        let peer = Ipv4Addr::new(10, 0, 0, peer);
        Record::Notice(Notice { time: ms(time), node, flow, peer, what: What::Rto })
    }

    fn message(time: u64, flow: u64) -> Record {
        let arrival = crate::trace::Arrival { released: ms(time), ..Default::default() };
        Record::Message(Message { traffic: 0, number: 0, flow, written: ms(time), arrival, bytes: 1 })
    }

    fn read(records: &[Record]) -> Vec<Strike> {
        let machines = vec![Ipv4Addr::new(10, 0, 0, 9)];
        let mut timeline =
            Timeline::new(vec![FaultPlan { name: "cut".into(), kind: "Cut", machines, nodes: vec![9], traffic: None }]);
        records.iter().for_each(|record| timeline.record(record));
        timeline.finish().1
    }

    #[test]
    fn evidence_is_of_flows_that_lost_packets_or_of_struck_machines_and_the_first_of_each_machine() {
        let lost = Record::Lost(Lost { fault: 0, time: ms(12), flow: 7, cause: Cause::Down });
        let records = [
            notice(5, 1, 7, 9),
            fault(10, true),
            lost,
            notice(20, 1, 8, 1),
            notice(21, 2, 7, 1),
            notice(22, 2, 7, 1),
            fault(30, false),
            notice(40, 1, 0, 9),
        ];
        let strikes = read(&records);
        assert_eq!(strikes.len(), 1);
        assert_eq!(strikes[0].noticed, [(2, ms(21), What::Rto), (1, ms(40), What::Rto)]);
        assert_eq!((strikes[0].healed, strikes[0].lost[Cause::Down as usize]), (Some(ms(30)), 1));
    }

    #[test]
    fn service_is_back_with_the_first_success_after_the_last_loss() {
        let lost = |time| Record::Lost(Lost { fault: 0, time: ms(time), flow: 7, cause: Cause::Down });
        let records =
            [fault(10, true), message(11, 7), lost(12), message(13, 8), lost(14), message(20, 7), message(25, 7)];
        let touched = read(&records)[0].traffic[&0];
        assert_eq!(touched, Touched { failed: 0, failures: None, recovered: Some(ms(20)) });
    }

    /// A crash from 10 to 30 ms of one of two machines that share an address: the link is back at once, the address with the second good check.
    #[test]
    fn routes_are_restored_when_those_to_what_is_announced_again_are() {
        let said = |time, on, others, change| {
            let (time, address, node) = (ms(time), 5, 9);
            Record::Announcement(Announcement { time, address, node, on, others, change })
        };
        let followed = |time, change, fault, onset, around| {
            Record::Rerouted(Rerouted { change, fault, time: ms(time), onset, around })
        };
        let records = [
            fault(10, true),
            said(10, false, true, 1),
            followed(17, 1, Some(0), true, true),
            fault(30, false),
            followed(37, 2, Some(0), false, false),
            said(45, true, true, 3),
            followed(52, 3, None, false, false),
            // Whatever ails it now is no matter of the fault.
            said(70, false, true, 4),
            followed(77, 4, None, true, true),
            said(80, true, true, 5),
            followed(87, 5, None, false, false),
        ];
        let strike = &read(&records)[0];
        assert_eq!((strike.rerouted, strike.restored), (Some(ms(17)), Some(ms(52))));
        let alone = [fault(10, true), said(12, false, false, 1), followed(19, 1, None, true, false)];
        assert_eq!(read(&alone)[0].rerouted, None, "there is nobody to lead to");
        let cut = [fault(10, true), followed(17, 1, Some(0), true, false)];
        assert_eq!(read(&cut)[0].rerouted, None, "there is no way around");
    }

    #[test]
    fn a_failure_counts_while_the_fault_lasts_and_any_success_ends_it() {
        // Nobody waits for longer than a millisecond.
        let echo = |sent, answer: Option<u64>| {
            let ended = ms(answer.unwrap_or(sent + 1));
            let answer = answer.map(|at| (Ipv4Addr::LOCALHOST, ms(at)));
            let echo = crate::trace::Echo {
                traffic: 3,
                number: 0,
                sent: ms(sent),
                ttl: 64,
                ended,
                answer,
                reached: answer.is_some(),
                spent: Default::default(),
            };
            Record::Echo(echo)
        };
        let records = [
            echo(5, None),
            fault(10, true),
            echo(11, None),
            echo(12, Some(14)),
            echo(20, None),
            fault(25, false),
            echo(25, None),
            echo(30, Some(31)),
            echo(32, Some(33)),
        ];
        let strikes = read(&records);
        let touched = strikes[0].traffic[&3];
        assert_eq!(touched, Touched { failed: 2, failures: Some((ms(12), ms(21))), recovered: Some(ms(31)) });
    }
}
