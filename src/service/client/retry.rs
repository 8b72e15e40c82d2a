//! Which failures are worth another try, and how many tries there are.

use super::backoff::Backoff;
use super::budget;
use crate::trace::Failure;

/// How a request is tried again.
#[derive(Clone, PartialEq, Debug)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// How long to wait before each retry.
    pub backoff: Backoff,
    /// What is tried again.
    pub on: Outcomes,
    /// How many retries there may be in all.
    pub budget: Option<budget::Config>,
}

/// Outcomes of a try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcomes {
    /// Without an answer.
    pub failures: Vec<Failure>,
    /// Answers with these status codes, both ends included.
    pub statuses: Vec<(u16, u16)>,
}

impl Outcomes {
    /// Failures of network and transport.
    pub const TRANSPORT: &'static [Failure] = &[
        Failure::NameTimeout,
        Failure::Refused,
        Failure::Reset,
        Failure::Tls,
        Failure::NoPort,
        Failure::AddressLost,
        Failure::Unreachable,
        Failure::Timeout,
        Failure::Broken,
    ];

    /// What may pass by itself: every failure of the transport, and 502, 503 and 504, by which proxies and servers say so.
    #[must_use]
    pub fn transient() -> Self {
        Self { failures: Self::TRANSPORT.to_vec(), statuses: vec![(502, 504)] }
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contain(&self, failure: Failure, status: u16) -> bool {
        match failure {
            Failure::Status => self.statuses.iter().any(|&(low, high)| (low..=high).contains(&status)),
            other => self.failures.contains(&other),
        }
    }
}

/// Whether a failure tells against the server, as breakers count: whatever is not the asker's own fault.
pub(super) const fn is_servers(failure: Failure, status: u16) -> bool {
    match failure {
        Failure::Status => status >= 500,
        Failure::NameError | Failure::NoPort | Failure::AddressLost | Failure::BreakerOpen | Failure::BulkheadFull => {
            false
        }
        _ => true,
    }
}
