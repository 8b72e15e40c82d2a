//! The phases into which a latency divides, and a budget: how long each took, with nothing left over.

use crate::base::Span;

/// A part of a latency. Every kind of traffic uses its own subset, in the order in which the parts happen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// The asker held the request back: too many of its requests were under way.
    Held,
    /// Waiting between tries.
    Backoff,
    /// Tries that did not bring the answer, until the one began that did.
    EarlierTries,
    /// Asking on a kept connection that turned out to be dead, until another could be looked for.
    DeadConnection,
    /// Looking up the name, or waiting for a registry's first list.
    Dns,
    /// Getting a connection: the handshake, or waiting for a free connection.
    Connect,
    /// The TLS handshake, until the request could be sent.
    Tls,
    /// Reading what was to be written, to write it only if nothing had changed since.
    ReadFirst,
    /// The request waited in its sender: for window, pacing, Nagle or room in the send buffer.
    RequestWait,
    /// The request's last byte was lost at least once: from its first transmission to the one that arrived.
    RequestRecovery,
    /// The request's last packet was being put on links.
    RequestSerialisation,
    /// The request's last packet waited in queues.
    RequestQueueing,
    /// The request's last packet was in fiber and air.
    RequestPropagation,
    /// The request's last byte had arrived but earlier bytes had not.
    RequestReorderWait,
    /// The request waited for a worker.
    ServerQueue,
    /// The server waited for what it asked others.
    ServerCalls,
    /// The request shared cores with others: how much longer the work took for it.
    ServerCoreWait,
    /// The server worked.
    ServerWork,
    /// The request was answered by something that keeps no record of its side.
    Unobserved,
    /// The response waited in its sender: for window, pacing, Nagle or room in the send buffer. Of a long response this is
    /// where the transfer shows: its last byte waits while the bytes before it are sent.
    ResponseWait,
    /// The response's last byte was lost at least once.
    ResponseRecovery,
    /// The response's last packet was being put on links.
    ResponseSerialisation,
    /// The response's last packet waited in queues.
    ResponseQueueing,
    /// The response's last packet was in fiber and air.
    ResponsePropagation,
    /// The response's last byte had arrived but earlier bytes had not (head-of-line blocking).
    ResponseReorderWait,
    /// The response was there but its reader was not.
    ReadWait,
    /// A failed request waited for an answer that never came.
    Unanswered,
    /// A message waited in its sender.
    SenderWait,
    /// A message's last byte was lost at least once.
    Recovery,
    /// The last packet was being put on links.
    Serialisation,
    /// The last packet waited in queues.
    Queueing,
    /// The last packet was in fiber and air.
    Propagation,
    /// A message's last byte had arrived but earlier bytes had not.
    ReorderWait,
    /// An echo was turned round by its target.
    Turnaround,
    /// A bulk transfer took place.
    Transfer,
}

impl Phase {
    /// The phases of a request.
    pub const REQUEST: &'static [Self] = &[
        Self::Held,
        Self::Backoff,
        Self::EarlierTries,
        Self::DeadConnection,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::ReadFirst,
        Self::RequestWait,
        Self::RequestRecovery,
        Self::RequestSerialisation,
        Self::RequestQueueing,
        Self::RequestPropagation,
        Self::RequestReorderWait,
        Self::ServerQueue,
        Self::ServerCalls,
        Self::ServerCoreWait,
        Self::ServerWork,
        Self::Unobserved,
        Self::ResponseWait,
        Self::ResponseRecovery,
        Self::ResponseSerialisation,
        Self::ResponseQueueing,
        Self::ResponsePropagation,
        Self::ResponseReorderWait,
        Self::ReadWait,
        Self::Unanswered,
    ];
    /// The phases of a message.
    pub const MESSAGE: &'static [Self] =
        &[Self::SenderWait, Self::Recovery, Self::Serialisation, Self::Queueing, Self::Propagation, Self::ReorderWait];
    /// The phases of an echo.
    pub const ECHO: &'static [Self] = &[Self::Serialisation, Self::Queueing, Self::Propagation, Self::Turnaround];
    /// The phases of a bulk transfer.
    pub const BULK: &'static [Self] = &[Self::Transfer];

    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Backoff => "backoff",
            Self::EarlierTries => "earlier_tries",
            Self::DeadConnection => "dead_connection",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::ReadFirst => "read_first",
            Self::RequestWait => "request_wait",
            Self::RequestRecovery => "request_recovery",
            Self::RequestSerialisation => "request_serialisation",
            Self::RequestQueueing => "request_queueing",
            Self::RequestPropagation => "request_propagation",
            Self::RequestReorderWait => "request_reorder_wait",
            Self::ServerQueue => "server_queue",
            Self::ServerCalls => "server_calls",
            Self::ServerCoreWait => "server_core_wait",
            Self::ServerWork => "server_work",
            Self::ResponseWait => "response_wait",
            Self::ResponseRecovery => "response_recovery",
            Self::ResponseSerialisation => "response_serialisation",
            Self::ResponseQueueing => "response_queueing",
            Self::ResponsePropagation => "response_propagation",
            Self::ResponseReorderWait => "response_reorder_wait",
            Self::ReadWait => "read_wait",
            Self::Unanswered => "unanswered",
            Self::Unobserved => "unobserved",
            Self::SenderWait => "sender_wait",
            Self::Recovery => "recovery",
            Self::Serialisation => "serialisation",
            Self::Queueing => "queueing",
            Self::Propagation => "propagation",
            Self::ReorderWait => "reorder_wait",
            Self::Turnaround => "turnaround",
            Self::Transfer => "transfer",
        }
    }
}

/// A latency divided into the phases of its kind. The shares are in the order of the phases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget<'a> {
    phases: &'static [Phase],
    shares: &'a [Span],
}

impl<'a> Budget<'a> {
    /// The budget that gives each of `phases` the share at the same place.
    #[must_use]
    pub const fn new(phases: &'static [Phase], shares: &'a [Span]) -> Self {
        assert!(phases.len() == shares.len(), "one share for each phase");
        Self { phases, shares }
    }

    /// Each phase with its share, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, Span)> + 'a {
        self.phases.iter().copied().zip(self.shares.iter().copied())
    }

    /// The whole.
    #[must_use]
    pub fn total(&self) -> Span {
        self.shares.iter().copied().sum()
    }

    /// The share of one phase; zero for a phase of another kind.
    #[must_use]
    pub fn of(&self, phase: Phase) -> Span {
        self.iter().find(|(candidate, _)| *candidate == phase).map_or(Span::ZERO, |(_, share)| share)
    }
}
