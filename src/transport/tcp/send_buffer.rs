//! What the send buffer holds: memory, not bytes, and more of it as the window grows (Linux `tcp_sendmsg`, `tcp_sndbuf_expand`).
//!
//! Data lies in units that leave as bursts. A unit takes memory beside its data, and room is asked for only when a new one begins: a
//! buffer that is nearly full takes another whole unit, one that holds many small bursts takes less data than it has bytes.
//!
//! Units in flight are not remembered one by one: they are taken to be bursts of the present size.

use super::config::Config;
use super::connection::Connection;
use super::signals::Events;

/// Memory of a unit beside its data, in bytes (Linux 6.18: a small head and what describes it).
const UNIT: u64 = 832;
/// Largest unit in bytes (Linux `sk_gso_max_size` without headers).
const LARGEST_UNIT: u64 = 65_536 - 320;
/// Memory that a segment of `mss` bytes may take, which the buffer is measured in when it grows (Linux `tcp_sndbuf_expand`): its packet
/// with headers in a piece of a power of two, and what describes it.
const fn segment_memory(mss: u64) -> u64 {
    (mss + 160 + 320).next_power_of_two() + 256
}

/// The size of the send buffer.
#[derive(Debug)]
pub(super) struct SendBuffer {
    /// Memory that it may take at present, in bytes; a little more is taken, because room is asked for by the unit.
    pub(super) limit: u64,
    /// Memory that it may grow to, in bytes.
    most: u64,
    /// Where the last unit begins, which takes what is written next while it has room.
    last: u64,
}

impl SendBuffer {
    /// A buffer that begins with room for two windows of `window` segments, or has its full size if that is `None`.
    pub(super) fn new(config: &Config, window: Option<u32>) -> Self {
        let most = config.send_buffer;
        let first = window.map_or(most, |window| {
            (2 * u64::from(window) * segment_memory(u64::from(config.mss()))).max(config.first_send_buffer)
        });
        Self { limit: first.min(most), most, last: 0 }
    }

    /// A program has chosen the size, which stays.
    pub(super) const fn fix(&mut self, bytes: u64) {
        self.limit = bytes;
        self.most = bytes;
    }
}

impl Connection {
    /// Memory that the buffer takes, once so many of the bytes that wait have left.
    fn send_memory(&mut self, leaving: u64) -> u64 {
        let mss = u64::from(self.mss);
        let (segments, sent) = (u64::from(self.board.packets_out()), self.next.saturating_sub(self.una));
        let (segments, sent) = (segments + leaving.div_ceil(mss), sent + leaving);
        let unsent = self.written().saturating_sub(self.next + leaving);
        // Segments that are not full went alone.
        let small = sent * 2 < segments * mss;
        let units = if small { segments } else { segments.div_ceil(u64::from(self.burst())) };
        self.buffer.len() + UNIT * (units + unsent.div_ceil(self.largest_unit()))
    }

    /// Bytes of the largest unit: whole segments, and at most half of the largest window that the peer has offered (Linux
    /// `tcp_bound_to_half_wnd`).
    fn largest_unit(&self) -> u64 {
        let mss = u64::from(self.mss);
        let window = self.largest_peer_window;
        let half = if window > 536 { window / 2 } else { window };
        (LARGEST_UNIT.min(half) / mss).max(1) * mss
    }

    /// Bytes of `len` that the buffer takes now.
    pub(super) fn send_room(&mut self, len: u64) -> u64 {
        let (mss, segments) = (u64::from(self.mss), u64::from(self.board.packets_out()));
        if self.buffer.len() + len + UNIT * (segments + len / mss + 2) < self.send_buffer.limit {
            // However it is cut into units, all of it fits: the most usual case.
            if self.next >= self.written() {
                self.send_buffer.last = self.written();
            }
            return len;
        }
        self.send_room_by_units(len)
    }

    #[inline(never)]
    fn send_room_by_units(&mut self, len: u64) -> u64 {
        let goal = self.largest_unit();
        let mut memory = self.send_memory(0);
        let (next, limit) = (self.next, self.send_buffer.limit);
        let written = self.written();
        let mss = u64::from(self.mss);
        // What leaves at once, when the unit at the head is full, makes room in it.
        let window = u64::from(self.window.cwnd.saturating_sub(self.board.in_flight())) * mss;
        let offered = (self.una + self.peer_window).saturating_sub(next);
        let mut leaves = if self.can_send_data() { window.min(offered) } else { 0 };
        let burst = u64::from(self.burst()) * mss;
        let mut end = written;
        let mut head = next;
        while end - written < len {
            let last = self.send_buffer.last.max(head);
            let mut copy = if end > last { goal.saturating_sub(end - last) } else { 0 };
            if copy == 0 && end > last && self.send_buffer.last <= head && leaves >= mss {
                copy = leaves.min(end - head) / mss * mss;
                leaves -= copy;
                head += copy;
                memory += UNIT * copy.div_ceil(burst);
            } else if copy == 0 {
                if memory >= limit {
                    break;
                }
                memory += UNIT;
                self.send_buffer.last = end;
                copy = goal;
            }
            copy = copy.min(len - (end - written));
            memory += copy;
            end += copy;
        }
        end - written
    }

    /// Acknowledged data has gone, and a program waits to write more: the buffer grows if the window would not be filled, and there is
    /// room again once a third is free (Linux `tcp_check_space`, `sk_stream_write_space`).
    #[inline]
    pub(super) fn check_send_room(&mut self) {
        let unsent = self.written().saturating_sub(self.next);
        let room = u64::from(self.window.cwnd.saturating_sub(self.board.in_flight())) * u64::from(self.mss);
        if unsent < room || self.buffer.len() <= self.send_buffer.limit / 3 * 2 {
            self.make_send_room(unsent.min(room), unsent < room);
        }
    }

    #[inline(never)]
    fn make_send_room(&mut self, leaving: u64, grow: bool) {
        if grow && self.send_buffer.limit < self.send_buffer.most {
            // Controllers that own the window send more than it in a round trip: BBR.
            let windows = if self.control.get().owns_window() { 3 } else { 2 };
            let segments = u64::from(self.window.cwnd.max(self.constants.initial_window)) * windows;
            let wanted = segments * segment_memory(u64::from(self.mss + if self.timestamps { 12 } else { 0 }));
            self.send_buffer.limit = wanted.min(self.send_buffer.most).max(self.send_buffer.limit);
        }
        if self.send_memory(leaving) <= self.send_buffer.limit / 3 * 2 {
            self.starved = false;
            self.events.raise(Events::WRITABLE);
        }
    }
}
