//! Families of scripts that are too regular to be written by hand, from a receiver that knows nothing of the machine: sets of
//! bytes, and the rules of RFC 2018 and RFC 2883 about what an acknowledgment reports.

use std::fmt::Write;

/// A script: its path below the directory of scripts, and its text.
pub(crate) type Script = (String, String);

/// Bytes of a full segment in these scripts.
const MSS: u32 = 1000;

/// Every script of every family.
pub(crate) fn all() -> Vec<Script> {
    let mut all = orders();
    all.extend(overlaps());
    all.extend(many_blocks());
    all.extend(super::states::all());
    all
}

/// Lines that open a connection passively with a round trip of 100 ms; the program's socket is 4.
pub(crate) fn opened(title: &str, options: &str) -> String {
    format!(
        "{title}`sysctl -q net.ipv4.tcp_timestamps=0`\n\n   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n  \
         +0 bind(3, ..., ...) = 0\n  +0 listen(3, 1) = 0\n +.1 < S 0:0(0) win 60000 <mss 1000{options}>\n  \
         +0 > S. 0:0(0) ack 1 <...>\n +.1 < . 1:1(0) ack 1 win 400\n  +0 accept(3, ..., ...) = 4\n\n"
    )
}

/// With SACK and window scaling.
pub(crate) const USUAL: &str = ",nop,nop,sackOK,nop,wscale 9";

/// What a receiver has and what it reports.
struct Receiver {
    /// Next byte expected.
    next: u32,
    /// Runs above it, without order.
    held: Vec<(u32, u32)>,
    /// Blocks to report, the most recently changed first.
    blocks: Vec<(u32, u32)>,
}

/// What an arrival comes to.
struct Answer {
    ack: u32,
    sack: Vec<(u32, u32)>,
    /// Whether the answer may not be delayed.
    at_once: bool,
}

impl Receiver {
    fn at(next: u32) -> Self {
        Self { next, held: Vec::new(), blocks: Vec::new() }
    }

    fn has(&self, byte: u32) -> bool {
        byte < self.next || self.held.iter().any(|run| run.0 <= byte && byte < run.1)
    }

    /// Takes in `start..end`. Bytes are looked at in steps of `step`, which divides every edge.
    fn take(&mut self, start: u32, end: u32, step: u32) -> Answer {
        let bytes = || (start..end).step_by(step as usize);
        // RFC 2883 4: the first contiguous run of the segment that had been received.
        let mut duplicate: Option<(u32, u32)> = None;
        for byte in bytes().filter(|&byte| self.has(byte)) {
            match &mut duplicate {
                None => duplicate = Some((byte, byte + step)),
                Some(run) if run.1 == byte => run.1 += step,
                Some(_) => {}
            }
        }
        let had_holes = !self.held.is_empty();
        let fresh = bytes().any(|byte| !self.has(byte));
        let in_order = start <= self.next && end > self.next;
        if in_order {
            self.next = end;
            while let Some(index) = self.held.iter().position(|run| run.0 <= self.next) {
                self.next = self.next.max(self.held.remove(index).1);
            }
            let next = self.next;
            self.blocks.retain(|block| block.1 > next);
        } else if end > self.next {
            // RFC 2018 4: the block with the segment that caused the acknowledgment comes first, the others as they were.
            let mut block = (start, end);
            self.held.push(block);
            self.blocks.retain(|other| {
                let touches = other.0 <= block.1 && block.0 <= other.1;
                if touches {
                    block = (block.0.min(other.0), block.1.max(other.1));
                }
                !touches
            });
            self.blocks.insert(0, block);
            // The list that reports are taken from is four long (Linux).
            self.blocks.truncate(4);
        }
        let sack = duplicate.into_iter().chain(self.blocks.iter().copied()).take(4).collect();
        Answer { ack: self.next, sack, at_once: !in_order || !fresh || had_holes }
    }
}

fn sack_option(blocks: &[(u32, u32)]) -> String {
    if blocks.is_empty() {
        return String::new();
    }
    let words: Vec<String> = blocks.iter().map(|(left, right)| format!("{left}:{right}")).collect();
    format!(" <nop,nop,sack {}>", words.join(" "))
}

/// An arrival and its answer. An acknowledgment that need not come at once comes within 200 ms.
fn arrival(script: &mut String, receiver: &mut Receiver, (start, end): (u32, u32), step: u32) {
    let answer = receiver.take(start, end, step);
    let when = if answer.at_once { "  +0" } else { "+.0~+.2" };
    let (len, ack, sack) = (end - start, answer.ack, sack_option(&answer.sack));
    let _ = writeln!(script, "+.01 < . {start}:{end}({len}) ack 1 win 400");
    let _ = writeln!(script, "{when} > . 1:1(0) ack {ack}{sack}");
}

fn read_all(script: &mut String, len: u32) {
    let _ = writeln!(script, "  +0 read(4, ..., 100000) = {len}");
}

/// All orders of `rest` behind `head`.
fn permutations(head: &[u32], rest: &[u32], into: &mut Vec<Vec<u32>>) {
    if rest.is_empty() {
        into.push(head.to_vec());
    }
    for (index, &next) in rest.iter().enumerate() {
        let mut head = head.to_vec();
        head.push(next);
        let mut rest = rest.to_vec();
        rest.remove(index);
        permutations(&head, &rest, into);
    }
}

/// Five segments in every order: one file for each pair that arrives first, the six orders of the others one after the other
/// on the same connection.
fn orders() -> Vec<Script> {
    let mut all = Vec::new();
    permutations(&[], &[1, 2, 3, 4, 5], &mut all);
    let mut scripts: Vec<Script> = Vec::new();
    let mut receiver = Receiver::at(1);
    for order in all {
        let name = format!("order/{}{}.pkt", order[0], order[1]);
        if scripts.last().is_none_or(|(last, _)| *last != name) {
            let title = format!(
                "// Five segments, {} and {} first, the others in each of their six orders: every acknowledgment reports\n\
                 // exactly what has arrived, the block that changed last first (RFC 2018 4).\n",
                order[0], order[1]
            );
            scripts.push((name, opened(&title, USUAL)));
            receiver = Receiver::at(1);
        }
        let Some((_, script)) = scripts.last_mut() else { continue };
        let _ = writeln!(script, "// {order:?}");
        let base = receiver.next;
        for number in order {
            let start = base + (number - 1) * MSS;
            arrival(script, &mut receiver, (start, start + MSS), MSS);
        }
        read_all(script, 5 * MSS);
    }
    scripts
}

/// A segment from each half step to each later one, over a stream that has its first segment in order and two more above holes:
/// what had arrived is reported first (RFC 2883).
fn overlaps() -> Vec<Script> {
    let half = MSS / 2;
    (0..10)
        .map(|from| {
            let title = format!(
                "// One segment has arrived in order and two above holes; another comes from {} on, up to every half segment\n\
                 // within reach. What it brings again is reported first, as D-SACK (RFC 2883 4).\n",
                from * half
            );
            let mut script = opened(&title, USUAL);
            let mut receiver = Receiver::at(1);
            for to in from + 1..=(from + 2).min(11) {
                let base = receiver.next;
                let _ = writeln!(script, "// {}..{} of 0..1000, 2000..3000, 4000..5000", from * half, to * half);
                for run in [0, 2, 4] {
                    let start = base + run * MSS;
                    arrival(&mut script, &mut receiver, (start, start + MSS), half);
                }
                let run = (base + from * half, base + to * half);
                arrival(&mut script, &mut receiver, run, half);
                // Everything that is missing, so that the next can begin. The first piece starts where the stream has come to.
                for piece in [2, 3, 6, 7, 10, 11] {
                    let (start, end) = (base + piece * half, base + (piece + 1) * half);
                    if !receiver.has(start) {
                        arrival(&mut script, &mut receiver, (start, end), half);
                    }
                }
                read_all(&mut script, 6 * MSS);
            }
            (format!("overlap/from-{:04}.pkt", from * half), script)
        })
        .collect()
}

/// More holes than an option has room for.
fn many_blocks() -> Vec<Script> {
    let mut script = opened(
        "// Five holes: an option without timestamps has room for four blocks, and the oldest report goes first.\n\
         // Then duplicates of each: the D-SACK takes a place of its own, before the blocks.\n",
        USUAL,
    );
    let mut receiver = Receiver::at(1);
    let starts = [2001, 4001, 6001, 8001, 10001];
    for start in starts {
        arrival(&mut script, &mut receiver, (start, start + MSS), MSS);
    }
    for start in starts {
        arrival(&mut script, &mut receiver, (start, start + MSS), MSS);
    }
    vec![("order/five-holes.pkt".into(), script)]
}
