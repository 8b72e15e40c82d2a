//! Both ends of TLS where the run decides whether it is spoken: what a listener accepts, what an asker connects.

use super::server::Tls as Settings;
use crate::app::Channel;
use crate::app::Stream;
use crate::app::tls::{ClientConfig, ServerConfig, Tickets, TlsError, TlsStream};
use crate::base::{Rng, Span};
use crate::host::{Host, TcpStream};
use std::cell::RefCell;
use std::rc::Rc;

/// A client that has not finished its handshake after so long is let go (nginx's `client_header_timeout`).
const PATIENCE: Span = Span::from_secs(60);

/// The listening end.
pub(super) struct Accepting {
    host: Host,
    session: Rc<ServerConfig>,
    handshake: crate::base::Dist,
    /// Draws how long each full handshake takes, in the order in which clients ask.
    draws: RefCell<Rng>,
}

impl Accepting {
    /// What handshakes take is drawn from the stream `host/<name>/<label>/tls`.
    pub(super) fn new(host: &Host, settings: &Settings, label: &str) -> Self {
        Self {
            session: Rc::new(settings.session(host.name())),
            handshake: settings.handshake,
            draws: RefCell::new(host.rng(&format!("{label}/tls"))),
            host: host.clone(),
        }
    }

    /// The connection under TLS; `None` if the handshake failed. `work` does the work of a full handshake, which is said to it.
    pub(super) async fn accept(&self, stream: TcpStream, work: impl AsyncFn(Span)) -> Option<Channel> {
        let sign = async || {
            let span = self.handshake.sample(&mut self.draws.borrow_mut());
            if !span.is_zero() {
                work(span).await;
            }
        };
        let handshake = TlsStream::accept(&self.host, stream, Rc::clone(&self.session), sign);
        let stream = self.host.timeout(PATIENCE, handshake).await.ok()?.ok()?;
        Some(Channel::Tls(Box::new(stream)))
    }
}

/// Lets go of a connection that has served: after an answer to early data the client's half of the handshake is still on its way.
pub(super) async fn let_go(host: &Host, channel: Channel) {
    if !channel.is_ready_to_close() {
        let _ = host.timeout(PATIENCE, channel.close()).await;
    }
}

/// The connection under TLS if `config` says so; ready when something can be sent.
pub(super) async fn connect(
    host: &Host,
    stream: TcpStream,
    config: Option<&ClientConfig>,
    tickets: &Rc<Tickets>,
) -> Result<Channel, TlsError> {
    let Some(config) = config else { return Ok(Channel::Plain(stream)) };
    let stream = TlsStream::connect(host, stream, config, Rc::clone(tickets)).await?;
    Ok(Channel::Tls(Box::new(stream)))
}
