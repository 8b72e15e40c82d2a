use super::*;
use crate::base::Span;
use crate::transport::tcp::{Algorithm, Config, Transmit, Wake};
use crate::wire::{Payload, Seq, Transit};
use std::net::Ipv4Addr;

const A: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 0, 1), 1000);
const B: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 0, 0, 2), 80);
/// One way.
const DELAY: Span = Span::from_millis(10);

struct Flying {
    due: Time,
    to: usize,
    segment: Segment,
    ecn: Ecn,
}

/// Two ends, a constant delay, and a queue on the way that marks what `judge` says, or loses it.
struct Pair {
    now: Time,
    configs: [Config; 2],
    ends: [Option<Connection>; 2],
    flying: Vec<Flying>,
    /// Everything sent: when, by whom, what.
    sent: Vec<(Time, usize, Segment, Ecn)>,
    marked: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Judgement {
    Pass,
    Mark,
    Lose,
}

impl Pair {
    fn new(configs: [Config; 2]) -> Self {
        let now = Time::from_nanos(1_000_000_000);
        let client = Connection::connect(&configs[0], A, B, Seq(7_000), now);
        Self { now, configs, ends: [Some(client), None], flying: Vec::new(), sent: Vec::new(), marked: 0 }
    }

    fn drain(&mut self, judge: &mut dyn FnMut(usize, &Segment) -> Judgement) {
        for from in 0..2 {
            let Some(end) = &mut self.ends[from] else { continue };
            while end.readable() > 0 {
                end.read(u64::MAX, self.now);
            }
            while let Some(Transmit { segment, mut ecn, .. }) = end.poll_transmit(self.now) {
                self.sent.push((self.now, from, segment.clone(), ecn));
                match judge(from, &segment) {
                    Judgement::Lose => continue,
                    Judgement::Mark if ecn == Ecn::Ect0 => {
                        ecn = Ecn::CongestionExperienced;
                        self.marked += u64::from(!segment.payload.is_empty());
                    }
                    Judgement::Mark | Judgement::Pass => {}
                }
                self.flying.push(Flying { due: self.now + DELAY, to: 1 - from, segment, ecn });
            }
            while end.poll_event().is_some() {}
        }
    }

    /// Until so much time has passed.
    fn run(&mut self, span: Span, judge: &mut dyn FnMut(usize, &Segment) -> Judgement) {
        let until = self.now + span;
        loop {
            self.drain(judge);
            let wakes = self.ends.iter().flatten().filter_map(|end| match end.wake() {
                Wake::At(time) => Some(time),
                _ => None,
            });
            let next = self.flying.iter().map(|flying| flying.due).chain(wakes).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            for end in self.ends.iter_mut().flatten() {
                if matches!(end.wake(), Wake::At(time) if time <= self.now) {
                    end.handle_wake(self.now);
                }
            }
            self.drain(judge);
            while let Some(index) = self.flying.iter().position(|flying| flying.due <= self.now) {
                let Flying { to, mut segment, ecn, .. } = self.flying.remove(index);
                if let Some(end) = &mut self.ends[to] {
                    end.handle_segment(&mut segment, &Transit::default(), ecn, self.now);
                } else {
                    let mut end = Connection::accept(&self.configs[to], B, A, Seq(90_000), &segment, self.now);
                    end.note_syn_ecn(ecn, &segment);
                    self.ends[to] = Some(end);
                }
                // As on a real host, each segment is answered before the next is looked at.
                self.drain(judge);
            }
        }
        self.now = until;
    }

    fn client(&mut self) -> &mut Connection {
        self.ends[0].as_mut().unwrap()
    }

    fn write(&mut self, bytes: u64) {
        let now = self.now;
        self.client().write(Payload::filler(bytes), now);
    }

    /// Data segments of the client: when, their flags, their ECN bits.
    fn data(&self) -> Vec<(Time, Flags, Ecn)> {
        let of_client = self.sent.iter().filter(|(_, from, segment, _)| *from == 0 && !segment.payload.is_empty());
        of_client.map(|(at, _, segment, ecn)| (*at, segment.flags, *ecn)).collect()
    }
}

fn config(ecn: EcnMode, congestion: &str) -> Config {
    Config {
        ecn,
        congestion: Algorithm::by_name(congestion).unwrap(),
        first_send_buffer: 16 << 20,
        ..Config::default()
    }
}

fn pass(_: usize, _: &Segment) -> Judgement {
    Judgement::Pass
}

#[test]
fn both_must_agree_and_only_the_one_who_wants_asks() {
    use EcnMode::{Off, On, Passive};
    for (client, server, asks, agreed) in [
        (On, On, true, true),
        (On, Passive, true, true),
        (On, Off, true, false),
        (Passive, Passive, false, false),
        (Passive, On, false, false),
        (Off, On, false, false),
    ] {
        let mut pair = Pair::new([config(client, "cubic"), config(server, "cubic")]);
        pair.run(Span::from_millis(50), &mut pass);
        pair.write(10_000);
        pair.run(Span::from_millis(200), &mut pass);
        let [syn, syn_ack] = [0, 1].map(|index| (pair.sent[index].2.flags, pair.sent[index].3));
        let both = Flags::ECE | Flags::CWR;
        assert_eq!(syn.0.has(both), asks, "{client:?} {server:?}");
        assert!(syn_ack.0.has(Flags::ECE) == agreed && !syn_ack.0.has(Flags::CWR), "{client:?} {server:?}");
        // RFC 3168 6.1.1: neither is ECT.
        assert_eq!((syn.1, syn_ack.1), (Ecn::NotCapable, Ecn::NotCapable));
        let wanted = if agreed { Ecn::Ect0 } else { Ecn::NotCapable };
        assert!(pair.data().iter().all(|(.., ecn)| *ecn == wanted));
        let acks = pair.sent.iter().filter(|(.., segment, _)| segment.payload.is_empty());
        assert!(acks.into_iter().all(|(.., ecn)| *ecn == Ecn::NotCapable), "pure ACKs are not ECT");
    }
}

#[test]
fn a_syn_that_is_sent_again_does_not_ask() {
    let mut pair = Pair::new([config(EcnMode::On, "cubic"), config(EcnMode::On, "cubic")]);
    let mut first = true;
    pair.run(Span::from_secs(2), &mut |_, _| {
        if std::mem::take(&mut first) { Judgement::Lose } else { Judgement::Pass }
    });
    let syns: Vec<bool> = pair
        .sent
        .iter()
        .filter(|sent| sent.1 == 0 && sent.2.flags.has(Flags::SYN))
        .map(|sent| sent.2.flags.has(Flags::ECE))
        .collect();
    assert_eq!(syns, [true, false]);
    assert!(!pair.client().ecn.agreed());
}

#[test]
fn a_mark_reduces_once_a_round_trip_and_nothing_is_sent_again() {
    for name in ["reno", "cubic"] {
        let mut pair = Pair::new([config(EcnMode::On, name), config(EcnMode::Passive, name)]);
        pair.run(Span::from_millis(50), &mut pass);
        pair.write(200_000);
        // Everything of the second flight is marked.
        let from = pair.now + Span::from_millis(15);
        let mut marks = |end: usize, _: &Segment| if end == 0 { Judgement::Mark } else { Judgement::Pass };
        pair.run(Span::from_millis(15), &mut pass);
        let before = pair.client().info().cwnd;
        pair.run(Span::from_millis(18), &mut marks);
        pair.run(Span::from_secs(1), &mut pass);
        let data = pair.data();
        let told: Vec<Time> = data.iter().filter(|(_, flags, _)| flags.has(Flags::CWR)).map(|(at, ..)| *at).collect();
        assert!(pair.marked >= u64::from(before), "{name}: {}", pair.marked);
        assert_eq!(told.len(), 1, "{name}: one flight of marks, one reduction: {told:?} from {from}");
        let info = pair.client().info();
        assert_eq!(info.total_retrans, 0);
        // Slow start had doubled the ten of the start by then; Reno halves, CUBIC keeps 0.7.
        let peak = 20.0;
        let kept = if name == "reno" { 0.5 } else { 0.7 };
        let ssthresh = f64::from(info.ssthresh);
        assert!((ssthresh - peak * kept).abs() <= 1.0, "{name}: {ssthresh}");
        assert_eq!(info.phase, Phase::Open);
    }
}

#[test]
fn the_receiver_echoes_until_it_is_told() {
    let mut pair = Pair::new([config(EcnMode::On, "reno"), config(EcnMode::Passive, "reno")]);
    pair.run(Span::from_millis(50), &mut pass);
    pair.write(120_000);
    let mut marks = 1;
    pair.run(Span::from_secs(1), &mut |from, segment| {
        if from == 0 && !segment.payload.is_empty() && marks > 0 {
            marks -= 1;
            return Judgement::Mark;
        }
        Judgement::Pass
    });
    let told = pair.data().iter().position(|(_, flags, _)| flags.has(Flags::CWR)).unwrap();
    let at = pair.data()[told].0 + DELAY;
    for (time, from, segment, _) in &pair.sent {
        if *from == 1 && !segment.flags.has(Flags::SYN) && *time > Time::from_nanos(1_060_000_000) {
            assert_eq!(segment.flags.has(Flags::ECE), *time < at, "ACK at {time}, told at {at}");
        }
    }
}

#[test]
fn what_is_sent_again_is_not_ect() {
    let mut pair = Pair::new([config(EcnMode::On, "cubic"), config(EcnMode::Passive, "cubic")]);
    pair.run(Span::from_millis(50), &mut pass);
    pair.write(60_000);
    let mut index = 0;
    pair.run(Span::from_secs(1), &mut |from, segment| {
        index += usize::from(from == 0 && !segment.payload.is_empty());
        if from == 0 && index == 4 { Judgement::Lose } else { Judgement::Pass }
    });
    let again: Vec<Ecn> =
        pair.data().iter().filter(|(.., ecn)| *ecn == Ecn::NotCapable).map(|(.., ecn)| *ecn).collect();
    assert_eq!(again.len() as u64, pair.client().info().total_retrans);
    assert!(!again.is_empty());
}

#[test]
fn dctcp_knows_of_every_single_marked_segment() {
    let dctcp = || config(EcnMode::Passive, "dctcp");
    let mut pair = Pair::new([dctcp(), dctcp()]);
    pair.run(Span::from_millis(50), &mut pass);
    assert!(pair.sent.iter().all(|(.., ecn)| *ecn == Ecn::Ect0), "every packet from the SYN on");
    pair.write(3_000_000);
    // Marks without any pattern that delayed acknowledgments could follow.
    let mut rng = crate::base::Rng::stream(11, "test/marks");
    let mut high = Seq(7_001);
    pair.run(Span::from_secs(30), &mut |from, segment| {
        // A tail loss probe sends old data, whose mark the receiver does not count.
        let new = from == 0 && segment.seq_end().after(high);
        high = if new { segment.seq_end() } else { high };
        if new && rng.chance(0.2) { Judgement::Mark } else { Judgement::Pass }
    });
    let client = pair.client();
    assert_eq!(client.info().total_retrans, 0);
    let (echoed, delivered) = (client.ecn.delivered_marked, client.info().delivered);
    assert!(delivered > 2_000 && pair.marked > 300, "{delivered} {}", pair.marked);
    assert_eq!(echoed, pair.marked);
}

#[test]
fn dctcp_against_an_end_that_does_not_count_marks_is_reno_without_ecn() {
    // Its SYN is ECT, which Linux refuses on purpose where the listener has another controller.
    let mut pair = Pair::new([config(EcnMode::Passive, "dctcp"), config(EcnMode::On, "cubic")]);
    pair.run(Span::from_millis(50), &mut pass);
    pair.write(50_000);
    pair.run(Span::from_secs(1), &mut pass);
    assert!(!pair.client().ecn.agreed());
    assert!(pair.data().iter().all(|(.., ecn)| *ecn == Ecn::NotCapable));
}
