//! Bulk transfer: parallel TCP flows of so many bytes or for so long.

use crate::base::{Span, Time};
use crate::host::Host;
use std::net::SocketAddrV4;

/// Which way the bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the server, who listens, to the client, who connects.
    Down,
    /// From the client to the server.
    Up,
}

/// How much is sent on each flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// As many as fit until so long after the client asked for the connection.
    For(Span),
}

/// The client of a bulk transfer.
#[derive(Clone, PartialEq, Debug)]
pub struct Client {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Number of this host's first flow; its others follow.
    pub first_flow: u32,
    /// The server.
    pub to: SocketAddrV4,
    /// Which way.
    pub direction: Direction,
    /// How much on each flow.
    pub amount: Amount,
    /// Flows side by side.
    pub flows: u32,
    /// Instant at which the first flow asks for its connection.
    pub start: Time,
    /// From one flow's start to the next one's.
    pub stagger: Span,
    /// Name of a congestion controller instead of the host's own; it rules what the client sends.
    pub congestion: Option<&'static str>,
    /// From one progress record of a flow to the next; only who receives emits them.
    pub progress_every: Span,
}

/// The server of bulk transfers.
#[derive(Clone, PartialEq, Debug)]
pub struct Server {
    /// Which traffic of the plan.
    pub traffic: u32,
    /// Port to listen on.
    pub port: u16,
    /// Name of a congestion controller instead of the host's own; it rules what the server sends.
    pub congestion: Option<&'static str>,
    /// From one progress record of a flow to the next; only who receives emits them.
    pub progress_every: Span,
}

/// Progress is recorded this often unless stated otherwise.
pub const PROGRESS_EVERY: Span = Span::from_millis(100);

/// Makes the transfers and ends when all are over.
pub async fn client(host: Host, config: Client) {
    let _ = (host, config);
}

/// Serves for ever.
pub async fn server(host: Host, config: Server) {
    let _ = (host, config);
}
