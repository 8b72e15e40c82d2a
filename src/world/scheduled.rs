//! Links whose queue decides at departure: what leaves the queue.

use super::World;
use crate::link::Left;
use crate::trace::PacketEvent;

impl World {
    /// A link direction has come up and no packet comes out of it: its queue lets packets go, onto the line or out of the world.
    #[cold]
    #[inline(never)]
    pub(super) fn serve(&mut self, direction: u32) {
        while let Some(left) = self.directions[direction as usize].link.serve(self.now) {
            match left {
                Left::Departs { packet, .. } => left.bring_up(self.packets.sized_mut(packet).0),
                Left::Dropped(packet, cause) => {
                    let from = self.directions[direction as usize].from;
                    self.note(from, Some(direction), PacketEvent::Dropped(cause), packet);
                    self.packets.free(packet);
                }
            }
        }
        if let Some(next) = self.directions[direction as usize].link.wake() {
            self.arrivals.set(direction, next);
        }
    }
}
