//! One backend is asked, and its answer passed on as it comes.

use super::{Proxy, Turn, heads, method};
use crate::app::Stream;
use crate::app::http1::{Framing, message};
use crate::service::balancer::backends::{Answering, Question, Unanswered};
use crate::service::client::pool::Connection;
use crate::trace::Failure;
use crate::wire::Payload;
use bytes::Bytes;

/// What came of asking a backend.
pub(super) enum Tried {
    /// The answer has been passed on.
    Passed {
        /// Whether it was the client's connection's last.
        close: bool,
    },
    /// The backend failed in the middle of its answer.
    Cut,
    /// The client went away in the middle of the answer.
    Gone,
    /// The kept connection turned out to be closed before anything came: another to the same backend may do.
    Stale,
    /// No answer worth passing on.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether the backend may have begun to do what was asked.
        asked: bool,
    },
}

/// Bytes of a response that are taken in before they are passed on (nginx's `proxy_buffers`: 8 of 4 or 8 KiB).
const BUFFER: u64 = 64 << 10;

impl Proxy {
    /// Asks member `id` of a pool. `more`: others can still be asked.
    pub(super) async fn attempt(&self, turn: &Turn<'_>, pool: usize, id: usize, head: &Bytes, more: bool) -> Tried {
        let (config, backends) = (&self.config.pools[pool], &self.pools[pool]);
        let front = Some((turn.client.flow(), turn.exchange));
        let question = Question { head, body: turn.asked.body, method: method(turn), more, front };
        let mut answer = match backends.ask(id, question).await {
            Ok(answer) => answer,
            Err(Unanswered::Stale) => return Tried::Stale,
            Err(Unanswered::Failed { failure, asked }) => return Tried::Failed { failure, asked },
        };
        // A client that has its backend's cookie already needs no other.
        let cookie = config.sticky.as_ref().filter(|_| self.bound(pool, &turn.asked.head) != Some(id));
        let cookie = cookie.map(|name| format!("{name}={}; Path=/", config.members[id].name));
        let tried = self.relay(turn, &mut answer, cookie).await;
        let cut = matches!(tried, Tried::Cut | Tried::Failed { .. });
        backends.returned(question, answer.back, if cut { Err(Failure::Broken) } else { Ok(answer.head.status) });
        if let Tried::Passed { .. } = tried {
            backends.done(id, answer, method(turn));
        }
        tried
    }

    /// Passes a response on whose head has come.
    async fn relay(&self, turn: &Turn<'_>, answering: &mut Answering, cookie: Option<String>) -> Tried {
        let Answering { connection: Connection { stream, reader, .. }, head: answer, .. } = answering;
        let Ok(framing) = answer.framing(method(turn)) else {
            return Tried::Failed { failure: Failure::Broken, asked: true };
        };
        let mut rest = 0;
        let mut out = match framing {
            Framing::Length(length) => {
                rest = length;
                Payload::real(heads::to_client(answer, None, turn.close, cookie))
            }
            // A length that nobody has said is known when all has come.
            Framing::Chunked | Framing::UntilClose => match reader.body(stream, framing).await {
                Ok(body) => message(heads::to_client(answer, Some(body), turn.close, cookie), body),
                Err(_) => return Tried::Failed { failure: Failure::Broken, asked: true },
            },
        };
        while rest > 0 {
            let Ok(part) = reader.part(stream, rest.min(BUFFER)).await else { return Tried::Cut };
            rest -= part.len();
            out.append(part);
            if rest > 0 && turn.client.write(std::mem::take(&mut out)).await.is_err() {
                return Tried::Gone;
            }
        }
        self.answered(turn);
        let gone = turn.client.write(out).await.is_err();
        Tried::Passed { close: gone || turn.close }
    }
}
