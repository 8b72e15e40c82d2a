//! When what is resent: scripts of losses, and the gaps between transmissions.
//!
//! The kernel's timers expire on ticks of 4 ms and are rounded up the more coarsely the longer they run: lightlag must be within one
//! such step of it.

use super::exchange::{Close, Exchange, exchange_closed};
use super::pair::{CLIENT, SERVER, Sent};
use super::table::{Table, rows};
use lightlag::base::Span;
use lightlag::wire::Flags;

const MSS: u64 = 1448;

/// The numbers in a field of the reference: separated by spaces; what follows a slash is told elsewhere.
fn figures(scenario: &str, quantity: &str) -> Vec<f64> {
    let rows = rows("linux_timers");
    let row = rows
        .iter()
        .find(|row| &row[0] == scenario && row[2].starts_with(quantity))
        .unwrap_or_else(|| panic!("the reference has {scenario}: {quantity}"));
    row[3].split(' ').map(|field| field.split('/').next().unwrap_or("").parse().expect("a number")).collect()
}

/// How coarsely the kernel rounds a timer of `ms`, and 3 ms for the time of its host, which the round trips in a timer count too.
fn step(ms: f64) -> f64 {
    3.0 + match ms {
        ..252.0 => 4.0,
        ..2_100.0 => 32.0,
        ..17_000.0 => 256.0,
        ..140_000.0 => 2_048.0,
        _ => 16_384.0,
    }
}

fn gaps(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// A script: the size of the answer, when the server closes, which packets are lost.
struct Script {
    size: u64,
    close: Close,
    until: Span,
}

impl Script {
    fn of(segments: u64) -> Self {
        Self { size: segments * MSS, close: Close::Never, until: Span::from_secs(400) }
    }

    fn closing(self, close: Close) -> Self {
        Self { close, ..self }
    }

    fn run(&self, mut lost: impl FnMut(&Sent) -> bool + 'static) -> Exchange {
        let fate = Box::new(move |sent: &Sent| lost(sent));
        exchange_closed("cubic", Span::from_millis(56), self.size, self.until, self.close, fate)
    }
}

impl Exchange {
    /// When packets that `which` picks were sent, in milliseconds since the first SYN.
    fn times(&self, which: impl Fn(&Sent) -> bool) -> Vec<f64> {
        let start = self.pair.log[0].at;
        self.pair.log.iter().filter(|sent| which(sent)).map(|sent| sent.at.since(start).as_millis_f64()).collect()
    }

    /// When the `index`th segment of the answer was sent.
    fn segment(&self, index: u32) -> Vec<f64> {
        self.times(|sent| carries(sent, index))
    }
}

fn carries(sent: &Sent, index: u32) -> bool {
    let start = 1 + index * MSS as u32;
    sent.from == SERVER && sent.len > 0 && sent.seq <= start && start < sent.seq + sent.len
}

fn is_syn(sent: &Sent) -> bool {
    sent.flags.has(Flags::SYN) && sent.from == CLIENT
}

fn is_fin(sent: &Sent, from: usize) -> bool {
    sent.flags.has(Flags::FIN) && sent.from == from
}

/// Loses the first `count` packets that `which` picks.
fn first(count: u32, which: impl Fn(&Sent) -> bool) -> impl FnMut(&Sent) -> bool {
    let mut left = count;
    move |sent| {
        let lost = left > 0 && which(sent);
        left -= u32::from(lost);
        lost
    }
}

struct Judge(Table);

impl Judge {
    /// Compares gap by gap; lists may differ in length only where the kernel's trace ends earlier.
    fn gaps(&mut self, name: &str, lightlag: &[f64], kernel: &[f64]) {
        let count = format!("{name}: count");
        let (ours, theirs) = (lightlag.len() as f64, kernel.len() as f64);
        self.0.compare(&count, ours, theirs, (theirs, theirs));
        for (index, (&ours, &theirs)) in lightlag.iter().zip(kernel).enumerate() {
            let step = step(theirs);
            self.0.compare(&format!("{name} {index}: ms"), ours, theirs, (theirs - step, theirs + step));
        }
    }
}

fn handshakes(judge: &mut Judge) {
    for (scenario, count) in [("syn_lost1", 1), ("syn_lost2", 2), ("syn_lost3", 3), ("syn_lost_all", u32::MAX)] {
        let done = Script::of(1).run(first(count, is_syn));
        let kernel = figures(scenario, "SYN send times");
        judge.gaps(scenario, &gaps(&done.times(is_syn)), &gaps(&kernel));
    }
    let synack = |sent: &Sent| sent.flags.has(Flags::SYN) && sent.from == SERVER;
    for (scenario, count) in [("synack_lost1", 1), ("synack_lost2", 2)] {
        let done = Script::of(1).run(first(count, synack));
        judge.gaps(scenario, &gaps(&done.times(is_syn)), &gaps(&figures(scenario, "SYN send times")));
        judge.gaps(scenario, &[done.connected], &figures(scenario, "connect()"));
    }
}

fn losses(judge: &mut Judge) {
    let once = |from: u32, to: u32| move |sent: &Sent| !sent.again && (from..to).any(|index| carries(sent, index));
    let compare = |judge: &mut Judge, scenario: &str, done: &Exchange, index: u32| {
        let times = done.segment(index);
        let seq = 1 + u64::from(index) * MSS;
        let kernel = figures(scenario, &format!("data seq {seq} lost; resent after"));
        let ours: Vec<f64> = times[1..].iter().map(|time| time - times[0]).collect();
        judge.gaps(&format!("{scenario}, segment {index}"), &ours, &kernel);
    };
    let done = Script::of(20).run(once(19, 20));
    compare(judge, "tail1_of20_lost", &done, 19);
    let done = Script::of(20).run(first(2, |sent| carries(sent, 19)));
    compare(judge, "tail1_of20_lost_and_TLP_lost", &done, 19);
    let done = Script::of(20).run(once(18, 20));
    compare(judge, "tail2_of20_lost", &done, 18);
    compare(judge, "tail2_of20_lost", &done, 19);
    let done = Script::of(20).run(once(10, 20));
    compare(judge, "tail10_of20_lost", &done, 10);
    compare(judge, "tail10_of20_lost", &done, 11);
    let done = Script::of(40).run(once(5, 6));
    compare(judge, "mid_lost_idx5_of40", &done, 5);
    let done = Script::of(1).run(once(0, 1));
    compare(judge, "single_seg_reply_lost1", &done, 0);
    let done = Script::of(1).run(first(2, |sent| carries(sent, 0)));
    compare(judge, "single_seg_reply_lost2", &done, 0);
    let done = Script::of(2).run(once(1, 2));
    compare(judge, "two_seg_reply_last_lost", &done, 1);
}

fn black_holes(judge: &mut Judge) {
    let from_server = |sent: &Sent| sent.from == SERVER && sent.len > 0;
    let kernel = figures("backoff_blackhole_single_reply", "gaps");
    let done = Script::of(1).run(move |sent| from_server(sent));
    let ours = gaps(&done.times(from_server));
    judge.gaps("backoff_blackhole_single_reply", &ours[..kernel.len()], &kernel);
    let kernel = figures("ack_path_dead", "then");
    let mut kernel_times = figures("ack_path_dead", "last original");
    kernel_times.extend(kernel);
    let done = Script::of(10).run(|sent| sent.from == CLIENT && sent.len == 0 && sent.at.as_secs_f64() > 0.08);
    let ours = gaps(&done.times(from_server)[9..]);
    judge.gaps("ack_path_dead", &ours[..kernel_times.len() - 1], &gaps(&kernel_times));
}

fn ends(judge: &mut Judge) {
    let late = Close::After(Span::from_millis(500));
    let server_fin = |sent: &Sent| is_fin(sent, SERVER);
    for (scenario, count) in [("srv_fin_lost1", 1), ("srv_fin_lost2", 2)] {
        let done = Script::of(1).closing(late).run(first(count, server_fin));
        let mut ours = done.times(server_fin);
        ours.extend(done.times(|sent| is_fin(sent, CLIENT)));
        judge.gaps(scenario, &gaps(&ours), &gaps(&figures(scenario, "FIN packets")));
    }
    let client_fin = |sent: &Sent| is_fin(sent, CLIENT);
    let done = Script::of(1).closing(Close::Written).run(first(1, client_fin));
    let mut ours = done.times(server_fin);
    ours.extend(done.times(client_fin));
    judge.gaps("cli_fin_lost1", &gaps(&ours), &gaps(&figures("cli_fin_lost1", "FIN packets")));
    let done = Script::of(1).closing(Close::Written).run(|_| false);
    let ours = [done.times(server_fin), done.times(client_fin)].concat();
    judge.gaps("no_loss_close", &gaps(&ours), &gaps(&figures("no_loss_close", "FIN packets")));
}

/// Every gap of every script.
pub fn table() -> Table {
    let mut judge = Judge(Table::default());
    handshakes(&mut judge);
    losses(&mut judge);
    black_holes(&mut judge);
    ends(&mut judge);
    judge.0
}

#[test]
fn timers_expire_when_the_kernels_do() {
    table().judge("timers");
}
