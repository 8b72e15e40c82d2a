//! FQ-CoDel (RFC 8290): a CoDel queue for each hashed flow, served by deficit round robin, sparse flows first.

use super::fifo::Fifo;
use super::packet::{Gone, Waiting};
use super::{Gate, Limit, codel};
use crate::base::Time;
use crate::trace::Cause;
use std::collections::VecDeque;

/// Parameters of FQ-CoDel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// CoDel's parameters, the same for every flow; its `limit` is that of all flows together (RFC 8290 5.2.1: 10,240 packets).
    pub codel: codel::Config,
    /// Number of queues that flows are hashed to (RFC 8290 5.2.4: 1,024).
    pub flows: u32,
    /// Bytes that a flow may send before the next one's turn; `None`: the MTU of the link (RFC 8290 5.2.3).
    pub quantum: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        let codel = codel::Config { ecn: true, limit: Limit::Packets(10_240), ..codel::Config::default() };
        Self { codel, flows: 1_024, quantum: None }
    }
}

/// Packets thrown out at once when the limit is exceeded: at most so many, and not more than half of the flow's bytes (RFC 8290
/// 4.1, Linux `drop_batch_size`).
const DROP_BATCH: usize = 64;

/// On which list a flow stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum List {
    None,
    New,
    Old,
}

#[derive(Debug)]
struct Flow<P> {
    queue: Fifo<P>,
    control: codel::Control,
    deficit: i64,
    list: List,
}

/// The queues and the order in which they are served.
#[derive(Debug)]
pub(in crate::link) struct FqCodel<P> {
    config: codel::Config,
    quantum: i64,
    mtu: u32,
    /// What makes two links hash flows differently (RFC 8290 5.2.4, Linux `perturbation`).
    salt: u64,
    flows: Vec<Flow<P>>,
    new: VecDeque<usize>,
    old: VecDeque<usize>,
    packets: usize,
    bytes: u64,
}

/// One flow's queue, judged by the bytes of all (as Linux does): a flow alone on a busy line may be told to slow down even if
/// only one of its packets waits.
struct Judged<'a, P> {
    queue: &'a mut Fifo<P>,
    others: u64,
}

impl<P: Copy> codel::Source<P> for Judged<'_, P> {
    fn pop(&mut self, now: Time) -> Option<Waiting<P>> {
        self.queue.dequeue(now)
    }

    fn backlog(&self) -> u64 {
        self.others + self.queue.bytes()
    }
}

impl<P: Copy> FqCodel<P> {
    pub(super) fn new(config: &Config, mtu: u32, salt: u64) -> Self {
        let flow = |_| Flow {
            // The limit is enforced over all flows.
            queue: Fifo::new(Limit::Packets(u64::MAX), Gate::Open),
            control: codel::Control::default(),
            deficit: 0,
            list: List::None,
        };
        Self {
            config: config.codel,
            quantum: i64::from(config.quantum.unwrap_or(mtu)),
            mtu,
            salt,
            flows: (0..config.flows.max(1)).map(flow).collect(),
            new: VecDeque::new(),
            old: VecDeque::new(),
            packets: 0,
            bytes: 0,
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn len(&self) -> usize {
        self.packets
    }

    /// The queue of a flow.
    #[expect(clippy::cast_possible_truncation, reason = "the quotient is smaller than the number of flows")]
    fn bucket(&self, flow: u64) -> usize {
        // The hash is already mixed; an odd factor spreads the salt over the upper bits, which decide.
        let mixed = (flow ^ self.salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mixed) * self.flows.len() as u128) >> 64) as usize
    }

    pub(super) fn enqueue(&mut self, packet: Waiting<P>, gone: &mut Gone<P>) {
        let index = self.bucket(packet.label.flow);
        let flow = &mut self.flows[index];
        flow.queue.push(packet);
        self.packets += 1;
        self.bytes += u64::from(packet.label.size);
        if flow.list == List::None {
            flow.list = List::New;
            flow.deficit = self.quantum;
            self.new.push_back(index);
        }
        let over = match self.config.limit {
            Limit::Packets(packets) => self.packets as u64 > packets,
            Limit::Bytes(bytes) => self.bytes > bytes,
        };
        if over {
            self.drop_from_fattest(packet.since, gone);
        }
    }

    /// RFC 8290 4.1: from the head of the flow with the most bytes.
    fn drop_from_fattest(&mut self, now: Time, gone: &mut Gone<P>) {
        // Of equals the first, as Linux's scan finds it.
        let mut fattest = 0;
        for (index, flow) in self.flows.iter().enumerate() {
            if flow.queue.bytes() > self.flows[fattest].queue.bytes() {
                fattest = index;
            }
        }
        let queue = &mut self.flows[fattest].queue;
        let half = queue.bytes() / 2;
        let mut dropped = 0;
        for _ in 0..DROP_BATCH {
            let Some(packet) = queue.dequeue(now) else { break };
            self.packets -= 1;
            dropped += u64::from(packet.label.size);
            gone.push((packet, Cause::QueueFull));
            if dropped >= half {
                break;
            }
        }
        self.bytes -= dropped;
    }

    /// RFC 8290 4.2.
    pub(super) fn dequeue(&mut self, now: Time, gone: &mut Gone<P>) -> Option<Waiting<P>> {
        loop {
            let (index, from_new) = match (self.new.front(), self.old.front()) {
                (Some(&index), _) => (index, true),
                (None, Some(&index)) => (index, false),
                (None, None) => return None,
            };
            if self.flows[index].deficit <= 0 {
                self.flows[index].deficit += self.quantum;
                self.rotate(index, from_new);
                continue;
            }
            let Some(packet) = self.dequeue_flow(index, now, gone) else {
                // An empty new flow goes through the old list once, or a flow could be new again and again and starve others.
                if from_new && !self.old.is_empty() {
                    self.rotate(index, from_new);
                } else {
                    if from_new {
                        self.new.pop_front()
                    } else {
                        self.old.pop_front()
                    };
                    self.flows[index].list = List::None;
                }
                continue;
            };
            self.flows[index].deficit -= i64::from(packet.label.size);
            return Some(packet);
        }
    }

    /// The first flow of its list becomes the last of the old ones.
    fn rotate(&mut self, index: usize, from_new: bool) {
        if from_new {
            self.new.pop_front()
        } else {
            self.old.pop_front()
        };
        self.old.push_back(index);
        self.flows[index].list = List::Old;
    }

    fn dequeue_flow(&mut self, index: usize, now: Time, gone: &mut Gone<P>) -> Option<Waiting<P>> {
        let flow = &mut self.flows[index];
        let (packets, bytes) = (flow.queue.len(), flow.queue.bytes());
        let mut source = Judged { others: self.bytes - bytes, queue: &mut flow.queue };
        let packet = flow.control.dequeue(&self.config, self.mtu, &mut source, now, gone);
        self.packets -= packets - flow.queue.len();
        self.bytes -= bytes - flow.queue.bytes();
        packet
    }
}

#[cfg(test)]
mod tests;
