//! First in, first out, with a limit.

use super::Limit;
use crate::link::Backlog;

#[derive(Debug)]
pub(in crate::link) struct DropTail {
    limit: Limit,
}

impl DropTail {
    pub(super) const fn new(limit: Limit) -> Self {
        Self { limit }
    }

    /// Bytes queued, in service and offered must fit into the limit together.
    #[inline]
    pub(super) fn admits(&self, size: u16, backlog: Backlog) -> bool {
        match self.limit {
            Limit::Bytes(limit) => backlog.bytes + u64::from(size) <= limit,
            Limit::Packets(limit) => backlog.packets < limit,
        }
    }
}
