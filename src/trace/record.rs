//! Everything that may be recorded, except what happens to packets, as one enum.

use super::{
    Announcement, Balanced, CacheRecord, Changed, Charge, DeadConnection, Echo, Exchange, FaultChange, Forwarded,
    Judgement, Limited, Lookup, Lost, Mask, Message, MessageSent, Notice, PathValidated, Probed, Progress, QuicLost,
    Refused, Registration, Request, RequestStarted, Rerouted, Returned, Roamed, Series, SessionUse, StoreRecord,
    Tripped, Try, TurnedAway,
};

/// One thing that happened, other than to a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// A request began.
    RequestStarted(RequestStarted),
    /// A request ended.
    Request(Request),
    /// One try of a request ended.
    Try(Try),
    /// A request was asked on a connection that was dead.
    Dead(DeadConnection),
    /// A circuit breaker changed its state.
    Tripped(Tripped),
    /// A server answered.
    Exchange(Exchange),
    /// A server did not work on a request.
    TurnedAway(TurnedAway),
    /// A server changed its limit.
    Limited(Limited),
    /// A server took money.
    Charge(Charge),
    /// A request came to a server that keeps sessions.
    Session(SessionUse),
    /// A proxy asked another machine for the sake of a request.
    Forwarded(Forwarded),
    /// What a proxy passed on has come back.
    Returned(Returned),
    /// A balancer sent something to a backend, or is rid of it.
    Balanced(Balanced),
    /// A health check ended.
    Probed(Probed),
    /// A balancer had nobody to send something to.
    Refused(Refused),
    /// An instance came to a registry, or went.
    Registration(Registration),
    /// Somebody noticed something.
    Notice(Notice),
    /// A name was looked up.
    Lookup(Lookup),
    /// A message was sent.
    MessageSent(MessageSent),
    /// A message arrived.
    Message(Message),
    /// A ping or probe ended.
    Echo(Echo),
    /// A bulk transfer has come so far.
    Progress(Progress),
    /// Something happened at a store.
    Store(StoreRecord),
    /// Something happened at an edge.
    Cache(CacheRecord),
    /// An edge has fetched something, or failed to: `number` counts its fetches, `traffic` means nothing.
    Fetched(Request),
    /// What is at a path of an origin has changed.
    Changed(Changed),
    /// A connection's state.
    Series(Series),
    /// A fault strikes or is over.
    Fault(FaultChange),
    /// A packet was lost to a fault.
    Lost(Lost),
    /// Routers use other routes.
    Rerouted(Rerouted),
    /// A machine announces a shared address, or does not any more.
    Announcement(Announcement),
    /// A machine has evidence of a fault.
    Judgement(Judgement),
    /// A host has noticed that links of its own have failed or come back.
    Roamed(Roamed),
    /// A connection that has moved to another address has been answered there.
    PathValidated(PathValidated),
    /// A QUIC sender holds a packet for lost.
    QuicLost(QuicLost),
}

impl Record {
    /// Whether this only counts messages, echoes and bytes of a traffic, as nearly all records do: who looks for anything else need not
    /// look at it.
    #[must_use]
    #[inline]
    pub const fn is_of_traffic(&self) -> bool {
        matches!(self, Self::MessageSent(_) | Self::Message(_) | Self::Echo(_) | Self::Progress(_))
    }

    /// The kind that a reader asks for to see this.
    #[must_use]
    pub const fn kind(&self) -> Mask {
        match self {
            Self::Series(_) | Self::QuicLost(_) => Mask::SERIES,
            _ => Mask::TRAFFIC,
        }
    }
}
