//! DNS over TCP, for answers that no datagram holds (RFC 7766): each message behind its length in two bytes.

use super::stub::Reply;
use crate::app::dns::{MAX_MESSAGE, Message};
use crate::base::Span;
use crate::host::{Host, NetError, TcpStream};
use crate::wire::Payload;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::rc::Rc;

/// A server closes a connection on which nothing has been asked for so long (RFC 7766 6.2.3: of the order of a few seconds).
const IDLE: Span = Span::from_secs(10);
/// Connections that may wait to be accepted, as BIND's `tcp-listen-queue`.
const BACKLOG: u32 = 10;

/// What a server says to a message of the one with this address, on a flow; `None` says nothing.
pub(super) type Answerer = Rc<dyn Fn(Message, Ipv4Addr, u64) -> Pin<Box<dyn Future<Output = Option<Message>>>>>;

/// Asks on a connection of its own, and closes it.
pub(super) async fn ask(host: &Host, server: SocketAddrV4, query: &Message) -> Result<Reply, NetError> {
    let stream = host.connect_with(server, None, true).await?;
    stream.write(framed(query)).await?;
    // A connection on which something else comes is of no use (RFC 5452 9.1).
    match read(&stream).await? {
        Some(answer) if answer.flags.response && answer.id == query.id && answer.questions == query.questions => {
            Ok((answer, stream.flow()))
        }
        _ => Err(NetError::Closed),
    }
}

/// Answers on a port for ever; each connection its questions one after the other.
pub(super) async fn serve(host: Host, port: u16, answer: Answerer) {
    let Ok(listener) = host.listen_with(port, BACKLOG, None, true).await else { return };
    while let Ok(stream) = listener.accept().await {
        let (program, answer) = (host.clone(), Rc::clone(&answer));
        drop(host.spawn(async move {
            let client = *stream.remote().ip();
            while let Ok(Ok(Some(query))) = program.timeout(IDLE, read(&stream)).await {
                let Some(reply) = answer(query, client, stream.flow()).await else { return };
                if stream.write(framed(&reply)).await.is_err() {
                    return;
                }
            }
        }));
    }
}

fn framed(message: &Message) -> Payload {
    let bytes = message.encode(MAX_MESSAGE);
    let length = u16::try_from(bytes.len()).expect("a message has at most 65,535 bytes");
    // In one piece, so that it leaves in one segment (RFC 7766 8).
    Payload::real([&length.to_be_bytes()[..], &bytes].concat())
}

/// The next message; `None` where the connection has ended, or what came is none.
async fn read(stream: &TcpStream) -> Result<Option<Message>, NetError> {
    let (length, _) = stream.read_exactly(2).await?;
    let &[high, low] = &length.real_prefix()[..] else { return Ok(None) };
    let (bytes, _) = stream.read_exactly(u64::from(u16::from_be_bytes([high, low]))).await?;
    Ok(Message::from_payload(&bytes).ok())
}
