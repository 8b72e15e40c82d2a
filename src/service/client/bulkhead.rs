//! A bulkhead: so many requests to one origin at a time, so that a slow one cannot take all that the asker has.

use crate::host::sync::{Permit, Semaphore};
use crate::trace::Failure;

/// How many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Requests under way at the same time.
    pub max: usize,
    /// Further ones that may wait for one of them to end; one more fails at once. `None`: any number.
    pub queue: Option<usize>,
}

/// The bulkhead of one asker for one origin.
pub(super) struct Bulkhead {
    places: Semaphore,
    queue: Option<usize>,
}

impl Bulkhead {
    pub(super) fn new(config: Config) -> Self {
        Self { places: Semaphore::new(config.max), queue: config.queue }
    }

    /// A place, after those who asked before.
    pub(super) async fn enter(&self) -> Result<Permit, Failure> {
        if let Some(place) = self.places.try_acquire() {
            return Ok(place);
        }
        if self.queue.is_some_and(|queue| self.places.waiting() >= queue) {
            return Err(Failure::BulkheadFull);
        }
        Ok(self.places.acquire().await)
    }
}
