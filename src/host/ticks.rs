//! A function called at instants that it names itself: what a program does by the clock, without a task that sleeps in between.

use super::call::Call;
use super::executor::{Shared, Waiter};
use super::task::Host;
use crate::base::{Id, Time};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Called with the present instant; returns the next.
type Step = Box<dyn FnMut(Time) -> Option<Time>>;

/// The function and who waits for its end.
#[derive(Default)]
pub struct Ticker {
    /// Taken out while it is being called, and gone when it has named no further instant.
    step: Option<Step>,
    ended: bool,
    waiter: Waiter,
}

/// A future that is ready when the function has named no further instant. Dropped, it drops the function.
pub struct Ticks {
    host: Host,
    id: Id<Ticker>,
}

impl Host {
    /// Calls `step` at `first`, or at once if that has passed, and then at each instant that it returns, until it returns none. It costs
    /// a small part of a loop around [`Host::sleep_until`]; what it sends goes out when it returns.
    pub fn ticks(&self, first: Time, step: impl FnMut(Time) -> Option<Time> + 'static) -> Ticks {
        let ticker = Ticker { step: Some(Box::new(step)), ..Ticker::default() };
        let id = self.shared().tickers.borrow_mut().insert(ticker);
        self.call(Call::Tick { ticker: id, at: first });
        Ticks { host: self.clone(), id }
    }
}

impl Future for Ticks {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = self.host.shared();
        let mut tickers = shared.tickers.borrow_mut();
        let ticker = tickers.get_mut(self.id).expect("a ticker lives as long as its future");
        if ticker.ended {
            return Poll::Ready(());
        }
        ticker.waiter = shared.waiter(context.waker());
        Poll::Pending
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        // What the function holds may call back as it is dropped: let go of the table first.
        let ticker = self.host.shared().tickers.borrow_mut().remove(self.id);
        drop(ticker);
    }
}

impl Shared {
    /// Calls the function. Its next instant; `None` if it has ended or nobody waits for its end any more.
    #[inline]
    pub(super) fn tick(&self, id: Id<Ticker>) -> Option<Time> {
        let mut step = self.tickers.borrow_mut().get_mut(id)?.step.take()?;
        let next = step(self.now.get());
        let mut tickers = self.tickers.borrow_mut();
        let Some(ticker) = tickers.get_mut(id) else {
            drop(tickers);
            drop(step);
            return None;
        };
        if next.is_some() {
            ticker.step = Some(step);
            return next;
        }
        ticker.ended = true;
        let waiter = std::mem::take(&mut ticker.waiter);
        drop(tickers);
        drop(step);
        self.wake(waiter);
        None
    }
}
