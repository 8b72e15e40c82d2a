//! What ails a machine: faults that its own programs feel and nobody else can see but by what they do.

use crate::base::Span;

/// The condition of a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    /// How long work takes, in hundredths of its usual time.
    pub slowness: u32,
    /// What a name server on it does.
    pub dns: Dns,
    /// The TTL in seconds that a name server on it says and keeps instead of the true one.
    pub ttl: Option<u32>,
}

/// What a name server does with questions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dns {
    /// Answers them.
    #[default]
    Answers,
    /// Nothing.
    Silent,
    /// Answers that it cannot.
    ServFail,
    /// Answers from what it remembers, however old that is.
    Stale,
}

impl Default for Condition {
    fn default() -> Self {
        Self { slowness: 100, dns: Dns::Answers, ttl: None }
    }
}

impl Condition {
    /// How long work takes that usually takes `span`.
    #[must_use]
    pub fn stretch(self, span: Span) -> Span {
        if self.slowness == 100 { span } else { span.saturating_mul(u64::from(self.slowness)) / 100 }
    }
}
