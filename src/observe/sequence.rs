//! The packets of one conversation as a sequence diagram in text: lifelines for hosts, an arrow for every packet.

use super::decode;
use crate::base::{Span, Time};
use crate::trace::{Cause, PacketEvent, PacketRecord};
use crate::wire::{Body, Flags, Icmp, Packet, Segment, Seq, UnreachableCode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Who is who, to give names to what records number.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// Names of the nodes, by their number in the plan.
    pub nodes: Vec<String>,
    /// Names of the link directions, by their number in the plan.
    pub links: Vec<String>,
    /// Which node has an address.
    pub addresses: BTreeMap<Ipv4Addr, u32>,
}

/// How the way of a packet ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// A host took it in.
    Arrived(Time),
    /// It was dropped, perhaps on a link (its number in the plan).
    Dropped(Time, Cause, Option<u32>),
    /// It was under way when the run ended.
    UnderWay,
}

/// One packet from its host to wherever it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// When it was handed to the network.
    pub sent: Time,
    /// By which node.
    pub from: u32,
    /// To which node.
    pub to: u32,
    /// What became of it.
    pub ending: Ending,
    /// What it is.
    pub text: String,
    /// Bytes of payload.
    pub payload: u64,
    flow: u64,
    src: Ipv4Addr,
}

/// Symbols to draw with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Charset {
    /// Lines and arrows of Unicode.
    Unicode,
    /// Only ASCII.
    Ascii,
}

/// Which echo's packets to keep: records of echoes do not know their flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EchoMark {
    /// When the request was sent.
    pub sent: Time,
    /// With which TTL.
    pub ttl: u8,
    /// Who answered and when.
    pub answer: Option<(Ipv4Addr, Time)>,
}

/// A stretch of a flow: what was sent on it between two instants, and what follows until somebody sends data again
/// (acknowledgments and the closing of the connection).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// The flow.
    pub flow: u64,
    /// The first instant.
    pub from: Time,
    /// The last instant at which data belongs to it.
    pub to: Time,
}

/// Reads packet records and keeps the packets of some stretches of flows.
#[derive(Debug)]
pub struct Sequence {
    stretches: Vec<Stretch>,
    echo: Option<EchoMark>,
    steps: BTreeMap<u64, Step>,
    /// First sequence number of each sender on a connection: (flow, address, port).
    initial: BTreeMap<(u64, Ipv4Addr, u16), Seq>,
    addresses: BTreeMap<Ipv4Addr, u32>,
}

impl Sequence {
    /// A reader that keeps packets of `stretches`.
    #[must_use]
    pub fn new(stretches: &[Stretch], cast: &Cast) -> Self {
        Self {
            stretches: stretches.to_vec(),
            echo: None,
            steps: BTreeMap::new(),
            initial: BTreeMap::new(),
            addresses: cast.addresses.clone(),
        }
    }

    /// A reader that keeps the packets of an echo.
    #[must_use]
    pub fn of_echo(echo: EchoMark, cast: &Cast) -> Self {
        Self { echo: Some(echo), ..Self::new(&[], cast) }
    }

    /// Takes a record in.
    pub fn packet(&mut self, record: &PacketRecord) {
        if let (Some(echo), PacketEvent::Sent, Body::Icmp(Icmp::EchoRequest { .. })) =
            (self.echo, record.event, &record.packet.body)
            && record.time == echo.sent
            && record.packet.ttl == echo.ttl
        {
            self.stretches.push(Stretch { flow: record.packet.transit.flow, from: echo.sent, to: Time::NEVER });
        }
        if !self.stretches.iter().any(|stretch| stretch.flow == record.packet.transit.flow) {
            return;
        }
        match record.event {
            PacketEvent::Sent => self.sent(record),
            PacketEvent::Delivered => self.end(record, Ending::Arrived(record.time)),
            PacketEvent::Dropped(cause) => self.end(record, Ending::Dropped(record.time, cause, record.link)),
            PacketEvent::Offered | PacketEvent::Arrived => {}
        }
    }

    fn sent(&mut self, record: &PacketRecord) {
        let packet = &record.packet;
        let mut text = self.describe(packet);
        if packet.transit.first_sent < packet.transit.sent && payload_len(packet) > 0 {
            text.push_str(" (again)");
        }
        let to = self.addresses.get(&packet.dst).copied().unwrap_or(record.node);
        let step = Step {
            sent: record.time,
            from: record.node,
            to,
            ending: Ending::UnderWay,
            text,
            payload: payload_len(packet),
            flow: packet.transit.flow,
            src: packet.src,
        };
        self.steps.insert(record.serial, step);
    }

    fn end(&mut self, record: &PacketRecord, ending: Ending) {
        if let Some(step) = self.steps.get_mut(&record.serial) {
            step.ending = ending;
            if matches!(ending, Ending::Arrived(_)) {
                step.to = record.node;
            }
        }
    }

    /// What a packet is, in a few words.
    fn describe(&mut self, packet: &Packet) -> String {
        match &packet.body {
            Body::Tcp(segment) => self.describe_tcp(packet, segment),
            Body::Udp(datagram) => {
                let dns = (datagram.src_port == 53 || datagram.dst_port == 53)
                    .then(|| decode::dns(&datagram.payload.real_prefix()))
                    .flatten();
                dns.map_or_else(|| format!("UDP {} B", datagram.payload.len()), |dns| format!("DNS {dns}"))
            }
            Body::Icmp(message) => describe_icmp(message),
        }
    }

    fn describe_tcp(&mut self, packet: &Packet, segment: &Segment) -> String {
        let flow = packet.transit.flow;
        let ours = *self.initial.entry((flow, packet.src, segment.src_port)).or_insert(segment.seq);
        let has = |flag| segment.flags.has(flag);
        let theirs = if has(Flags::ACK) {
            *self.initial.entry((flow, packet.dst, segment.dst_port)).or_insert(segment.ack)
        } else {
            segment.ack
        };
        let words = [(Flags::SYN, "SYN"), (Flags::FIN, "FIN"), (Flags::RST, "RST")];
        let mut text: Vec<String> =
            words.iter().filter(|(flag, _)| has(*flag)).map(|(_, word)| (*word).into()).collect();
        let len = segment.payload.len();
        if len == 0 && text.is_empty() {
            text.push("ACK".into());
        }
        let seq = segment.seq - ours;
        if len > 0 {
            text.push(format!("{len} B seq {seq}"));
        } else if has(Flags::SYN) || has(Flags::FIN) {
            text.push(format!("seq {seq}"));
        }
        if has(Flags::ACK) {
            text.push(format!("ack {}", segment.ack - theirs));
        }
        if let Some(mss) = segment.options.mss {
            text.push(format!("mss {mss}"));
        }
        for &(left, right) in segment.options.sack.as_slice() {
            text.push(format!("sack {}-{}", left - theirs, right - theirs));
        }
        if segment.window == 0 && !has(Flags::RST) {
            text.push("window 0".into());
        }
        match decode::http(&segment.payload.real_prefix()) {
            Some(line) => format!("{line}  {}", text.join(" ")),
            None => text.join(" "),
        }
    }

    /// The steps of all stretches in the order in which they were sent.
    #[must_use]
    pub fn steps(&self) -> Vec<&Step> {
        let answer = self.echo.and_then(|echo| echo.answer);
        // Of echoes sent at the same instant, the one that was answered by this node at that instant.
        let ours = answer.and_then(|(address, time)| {
            self.steps.values().find(|step| step.src == address && step.ending == Ending::Arrived(time))
        });
        let mut ordered: Vec<(&u64, &Step)> = self.steps.iter().collect();
        ordered.sort_by_key(|&(serial, step)| (step.sent, *serial));
        let mut open = vec![true; self.stretches.len()];
        let mut steps = Vec::new();
        for (_, step) in ordered.into_iter().filter(|(_, step)| ours.is_none_or(|ours| ours.flow == step.flow)) {
            let mut wanted = false;
            for (stretch, open) in self.stretches.iter().zip(&mut open).filter(|(stretch, _)| stretch.flow == step.flow)
            {
                *open &= step.sent <= stretch.to || step.payload == 0;
                wanted |= *open && step.sent >= stretch.from;
            }
            if wanted {
                steps.push(step);
            }
        }
        steps
    }
}

fn payload_len(packet: &Packet) -> u64 {
    match &packet.body {
        Body::Tcp(segment) => segment.payload.len(),
        Body::Udp(datagram) => datagram.payload.len(),
        Body::Icmp(_) => 0,
    }
}

fn describe_icmp(message: &Icmp) -> String {
    match message {
        Icmp::EchoRequest { sequence, .. } => format!("echo request {sequence}"),
        Icmp::EchoReply { sequence, .. } => format!("echo reply {sequence}"),
        Icmp::TimeExceeded(_) => "time exceeded".into(),
        Icmp::Unreachable(UnreachableCode::Network, _) => "network unreachable".into(),
        Icmp::Unreachable(UnreachableCode::Host, _) => "host unreachable".into(),
        Icmp::Unreachable(UnreachableCode::Port, _) => "port unreachable".into(),
        Icmp::PacketTooBig { mtu, .. } => format!("packet too big, mtu {mtu}"),
    }
}

/// Columns of the two times.
const TIMES: usize = 23;

/// Draws steps at most `width` columns wide; times are milliseconds since `start`.
#[must_use]
pub fn draw(steps: &[&Step], cast: &Cast, start: Time, width: usize, charset: Charset) -> String {
    let mut lanes: Vec<u32> = Vec::new();
    for node in steps.iter().flat_map(|step| [step.from, step.to]) {
        if !lanes.contains(&node) {
            lanes.push(node);
        }
    }
    let stage = Stage::new(&lanes, cast, width, charset);
    let mut text = stage.header(&lanes, cast);
    for step in steps {
        let ended = match step.ending {
            Ending::Arrived(time) | Ending::Dropped(time, ..) => millis(time.since(start)),
            Ending::UnderWay => String::new(),
        };
        let mut words = step.text.clone();
        if let Ending::Dropped(_, cause, link) = step.ending {
            let cause = cause.name().replace('_', " ");
            let place = link.and_then(|link| cast.links.get(link as usize));
            let place = place.map_or_else(String::new, |name| format!(" on {name}"));
            words = format!("{cause}{place}: {words}");
        }
        let line = format!("{:>10} {ended:>10}  {}  {words}", millis(step.sent.since(start)), stage.arrow(step));
        text.push_str(&clip(line.trim_end(), width, charset));
        text.push('\n');
    }
    text
}

/// `n.nnn` milliseconds, rounded down to a microsecond.
fn millis(span: Span) -> String {
    let micros = span.as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

/// `line` cut to `width` columns, with a mark where something is missing.
fn clip(line: &str, width: usize, charset: Charset) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let (mark, room) = if charset == Charset::Unicode { ("…", width - 1) } else { ("...", width - 3) };
    line.chars().take(room).chain(mark.chars()).collect()
}

/// Where the lifelines stand.
struct Stage {
    columns: BTreeMap<u32, usize>,
    width: usize,
    charset: Charset,
}

impl Stage {
    /// Leaves 42 columns for words where that is possible.
    fn new(lanes: &[u32], cast: &Cast, width: usize, charset: Charset) -> Self {
        let gaps = lanes.len().saturating_sub(1).max(1);
        let longest = lanes.iter().map(|&node| name(cast, node).chars().count()).max().unwrap_or(0);
        let gap = (width.saturating_sub(TIMES + 42) / gaps).clamp(8, 24.max(longest + 2));
        let left = lanes.first().map_or(0, |&node| name(cast, node).chars().count() / 2);
        let right = lanes.last().map_or(0, |&node| name(cast, node).chars().count().div_ceil(2));
        let columns = lanes.iter().enumerate().map(|(place, &node)| (node, left + place * gap)).collect();
        Self { columns, width: left + gap * lanes.len().saturating_sub(1) + right.max(1), charset }
    }

    fn header(&self, lanes: &[u32], cast: &Cast) -> String {
        let mut names = String::new();
        for &lane in lanes {
            let name = name(cast, lane);
            let at = self.columns[&lane].saturating_sub(name.chars().count() / 2);
            let room = at.saturating_sub(names.chars().count());
            let gap = if names.is_empty() { room } else { room.max(1) };
            let _ = write!(names, "{:gap$}{name}", "");
        }
        format!("{:>10} {:>10}  {names}\n", "sent ms", "ended ms").trim_end().to_owned() + "\n"
    }

    /// One row of lifelines with an arrow for `step`.
    fn arrow(&self, step: &Step) -> String {
        let [life, line, right, left, leave_right, leave_left, lost] = match self.charset {
            Charset::Unicode => ['│', '─', '▶', '◀', '├', '┤', '✗'],
            Charset::Ascii => ['|', '-', '>', '<', '|', '|', 'x'],
        };
        let mut row = vec![' '; self.width];
        self.columns.values().for_each(|&column| row[column] = life);
        let (from, to) = (self.columns[&step.from], self.columns[&step.to]);
        let dropped = matches!(step.ending, Ending::Dropped(..));
        if from < to {
            let tip = if dropped { from.midpoint(to) } else { to - 1 };
            row[from..=tip].fill(line);
            row[from] = leave_right;
            row[tip] = if dropped { lost } else { right };
        } else if to < from {
            let tip = if dropped { from.midpoint(to) } else { to + 1 };
            row[tip..=from].fill(line);
            row[from] = leave_left;
            row[tip] = if dropped { lost } else { left };
        } else if dropped {
            row[from] = lost;
        }
        row.into_iter().collect()
    }
}

fn name(cast: &Cast, node: u32) -> &str {
    cast.nodes.get(node as usize).map_or("?", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Datagram, Options, Payload, Transit};

    const USER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const DNS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const SHOP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

    fn cast() -> Cast {
        Cast {
            nodes: ["user", "dns", "shop"].map(String::from).to_vec(),
            links: vec!["user-shop".into()],
            addresses: [(USER, 0), (DNS, 1), (SHOP, 2)].into(),
        }
    }

    /// A packet sent at `micros`; what became of it 28 ms later.
    struct Play(Sequence, u64);

    impl Play {
        fn packet(&mut self, micros: u64, src: Ipv4Addr, dst: Ipv4Addr, body: Body, event: PacketEvent) {
            self.1 += 1;
            let sent = Time::from_nanos(micros * 1000);
            let transit = Transit { flow: 5, first_sent: sent, sent, ..Transit::default() };
            let packet = Packet {
                src,
                dst,
                ttl: 64,
                dscp: crate::wire::Dscp::DEFAULT,
                ecn: crate::wire::Ecn::default(),
                ident: 0,
                body,
                transit,
            };
            let node = |address: Ipv4Addr| u32::from(address.octets()[3]) - 1;
            let record = |time, node, event, link| PacketRecord {
                time,
                node,
                link,
                event,
                serial: self.1,
                packet: packet.clone(),
            };
            self.0.packet(&record(sent, node(src), PacketEvent::Sent, None));
            let link = matches!(event, PacketEvent::Dropped(_)).then_some(0);
            self.0.packet(&record(sent + Span::from_millis(28), node(dst), event, link));
        }

        fn tcp(&mut self, micros: u64, way: (Ipv4Addr, Ipv4Addr), flags: Flags, numbers: (u32, u32), data: Payload) {
            let ports = if way.0 == USER { (40_000, 80) } else { (80, 40_000) };
            let mss = flags.has(Flags::SYN).then_some(1460);
            let segment = Segment {
                src_port: ports.0,
                dst_port: ports.1,
                seq: Seq(numbers.0),
                ack: Seq(numbers.1),
                flags,
                window: 1000,
                options: Options { mss, ..Options::default() },
                payload: data,
            };
            self.packet(micros, way.0, way.1, Body::Tcp(segment), PacketEvent::Delivered);
        }
    }

    fn play() -> Sequence {
        let mut play = Play(
            Sequence::new(&[Stretch { flow: 5, from: Time::ZERO, to: Time::from_nanos(148_000_000) }], &cast()),
            0,
        );
        let question = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x04shop\x07example\0\0\x01\0\x01";
        let ask = Datagram { src_port: 5000, dst_port: 53, payload: Payload::real(&question[..]) };
        play.packet(0, USER, DNS, Body::Udp(ask.clone()), PacketEvent::Dropped(Cause::QueueFull));
        play.packet(500, USER, DNS, Body::Udp(ask), PacketEvent::Delivered);
        let (there, back) = ((USER, SHOP), (SHOP, USER));
        let nothing = Payload::empty;
        play.tcp(30_000, there, Flags::SYN, (u32::MAX, 0), nothing());
        play.tcp(60_000, back, Flags::SYN | Flags::ACK, (7000, 0), nothing());
        play.tcp(90_000, there, Flags::ACK, (0, 7001), nothing());
        let get = Payload::real(&b"GET /item HTTP/1.1\r\nHost: shop.example\r\n\r\n"[..]);
        play.tcp(90_000, there, Flags::ACK | Flags::PSH, (0, 7001), get);
        let mut answer = Payload::real(&b"HTTP/1.1 200 OK\r\n\r\n"[..]);
        answer.append(Payload::filler(1000));
        play.tcp(120_000, back, Flags::ACK, (7001, 44), answer);
        play.tcp(150_000, there, Flags::FIN | Flags::ACK, (44, 8022), nothing());
        // The next request on the same connection.
        play.tcp(900_000, there, Flags::ACK, (45, 8022), Payload::filler(9));
        play.0
    }

    #[test]
    fn a_conversation_reads_from_top_to_bottom() {
        let sequence = play();
        let steps = sequence.steps();
        let drawn = draw(&steps, &cast(), Time::ZERO, 100, Charset::Unicode);
        assert!(drawn.lines().all(|line| line.chars().count() <= 100), "{drawn}");
        insta::assert_snapshot!(drawn);
        let ascii = draw(&steps, &cast(), Time::ZERO, 80, Charset::Ascii);
        assert!(ascii.is_ascii() && ascii.lines().all(|line| line.len() <= 80), "{ascii}");
        insta::assert_snapshot!(ascii);
    }

    #[test]
    fn numbers_are_relative_and_the_next_request_is_left_out() {
        let sequence = play();
        let steps = sequence.steps();
        assert_eq!(steps.len(), 8);
        assert_eq!(steps[3].text, "SYN seq 0 ack 1 mss 1460");
        assert_eq!(steps[5].text, "GET /item  42 B seq 1 ack 1");
        assert_eq!(steps[7].text, "FIN seq 45 ack 1022");
    }
}
