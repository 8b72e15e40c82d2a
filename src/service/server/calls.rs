//! What a server asks of others before it answers: stages one after the other, the calls of a stage at the same time.

use crate::base::{Span, Time};
use crate::host::Host;
use crate::host::sync::Queue;
use crate::service::client::Caller;
use crate::trace::Failure;
use std::rc::Rc;

/// Calls that are made at the same time; the next stage begins when all have ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stage(pub Vec<Call>);

/// One call of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call {
    /// Which traffic of the plan describes it.
    pub traffic: u32,
    /// How often it is made at the same time.
    pub count: u32,
    /// Whether the request can be answered without it.
    pub optional: bool,
}

/// Everybody whom a server asks: of each traffic one caller for each target.
pub type Callers = Vec<(u32, Vec<Rc<Caller>>)>;

/// Makes the calls of `stages` for the exchange `cause`, which is waited for `until` then, until one fails that is needed; then those under way are left to end by
/// themselves. The time that it took, and the failure if there was one.
pub(super) async fn make(
    host: &Host,
    callers: &Callers,
    stages: &[Stage],
    (cause, until): ((u64, u32), Option<Time>),
) -> (Span, Option<Failure>) {
    let began = host.now();
    for Stage(calls) in stages {
        let ended = Queue::new();
        let mut under_way = 0_u32;
        for call in calls {
            let all = callers.iter().filter(|(traffic, _)| *traffic == call.traffic).flat_map(|(_, callers)| callers);
            for caller in all.flat_map(|caller| (0..call.count).map(move |_| caller)) {
                let (caller, ended, optional) = (Rc::clone(caller), ended.clone(), call.optional);
                drop(host.spawn(async move {
                    let result = caller.call(cause, until).await;
                    ended.push(result.err().filter(|_| !optional));
                }));
                under_way += 1;
            }
        }
        for _ in 0..under_way {
            if let Some(failure) = ended.pop().await {
                return (host.now() - began, Some(failure));
            }
        }
    }
    (host.now() - began, None)
}

/// The status with which a server answers when a call that it needs has failed (RFC 9110 15.6).
pub(super) const fn status(failure: Failure) -> u16 {
    match failure {
        Failure::Timeout | Failure::NameTimeout => 504,
        Failure::BreakerOpen | Failure::BulkheadFull => 503,
        _ => 502,
    }
}
