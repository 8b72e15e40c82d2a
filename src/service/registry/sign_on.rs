//! The side of an instance: it signs on, renews its lease, and signs off when its time has come.

use super::{LEASE, PORT};
use crate::app::http1::{Ask, HeadSize, Method, ReadError, Reader, message};
use crate::base::{Span, Time};
use crate::host::{Host, TcpStream};
use std::net::SocketAddrV4;

/// Where and as what an instance signs on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignOn {
    /// The registry.
    pub registry: SocketAddrV4,
    /// Name of the service.
    pub service: String,
    /// The instance's own port.
    pub port: u16,
    /// From one heartbeat to the next.
    pub heartbeat: Span,
    /// The registry drops it when it has heard nothing for so long.
    pub lease: Span,
    /// When it signs on first.
    pub from: Time,
    /// When it signs off; it goes on to answer what still comes.
    pub until: Option<Time>,
}

/// Signs on and renews, until it is time to sign off. A heartbeat that is not answered before the next is due is given up with its connection.
pub async fn sign_on(host: Host, config: SignOn) {
    let start = host.now().max(config.from);
    let mut connection = None;
    for index in 0.. {
        let due = crate::service::tick(start, config.heartbeat, index);
        let last = config.until.filter(|&until| until <= due);
        host.sleep_until(last.unwrap_or(due)).await;
        let method = if last.is_some() { Method::Delete } else { Method::Put };
        let said = host.timeout(config.heartbeat, say(&host, &config, method, &mut connection)).await;
        if said.is_err() || said.is_ok_and(|said| said.is_err()) {
            connection = None;
        }
        if last.is_some() {
            return;
        }
    }
}

/// A connection to the registry, and what has been read of it.
type Kept = Option<(TcpStream, Reader)>;

/// Says one thing on the connection, which is opened if there is none.
async fn say(host: &Host, config: &SignOn, method: Method, kept: &mut Kept) -> Result<(), ReadError> {
    let (stream, reader) = match kept.take() {
        Some(kept) => kept,
        None => (host.connect_with(config.registry, None, true).await?, Reader::new()),
    };
    let (stream, reader) = kept.insert((stream, reader));
    let target = format!("/services/{}", config.service);
    let name = config.registry.to_string();
    let ask =
        Ask { method, target: &target, host: &name, body: 0, close: false, size: HeadSize::Exactly(0), fields: &[] };
    let mut head = ask.head();
    head.fields.push(PORT, config.port.to_string());
    if method == Method::Put {
        head.fields.push(LEASE, config.lease.as_nanos().to_string());
    }
    stream.write(message(head.encode(), 0)).await?;
    reader.response(stream, method).await?;
    Ok(())
}
