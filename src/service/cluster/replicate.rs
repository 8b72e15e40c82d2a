//! Writes from masters to their replicas: a replica says how far it has come, and is fed from there, or from the beginning if it has
//! what the master has not.

use super::node::Node;
use super::resp::{Reader, Value, command};
use crate::base::Span;
use crate::host::sync::Queue;
use crate::host::{NetError, TcpStream};
use crate::service::store::log::{Entry, Place};
use crate::trace::StoreEvent;
use crate::wire::Payload;
use std::rc::Rc;

/// A replica without a master tries again after so long (`replicationCron`).
const AGAIN: Span = Span::from_secs(1);

/// Copies the writes of whoever is this node's master, for ever.
pub(super) async fn copy(node: Rc<Node>) {
    loop {
        while node.turn.try_pop().is_some() {}
        let master = node.view().master();
        if master == node.config.me {
            node.turn.pop().await;
            continue;
        }
        let following = {
            let node = Rc::clone(&node);
            node.host.clone().spawn(async move {
                let _ = follow(&node, master).await;
            })
        };
        // Until the master is another one, or the connection is gone.
        while !following.is_finished() && node.host.timeout(AGAIN, node.turn.pop()).await.is_err() {}
        following.abort();
        if node.view().master() == master {
            node.host.sleep(AGAIN).await;
        }
    }
}

async fn follow(node: &Node, master: usize) -> Result<(), NetError> {
    let stream = node.host.connect_with(node.addr(master), None, true).await?;
    let mut reader = Reader::default();
    let end = node.log().end();
    let (epoch, seq) = (end.epoch.to_string(), end.seq.to_string());
    stream.write(command(&[b"PSYNC", epoch.as_bytes(), seq.as_bytes()], None)).await?;
    let answer = reader.value(&stream).await?.as_text().unwrap_or_default();
    match answer.as_ref() {
        b"CONTINUE" => {}
        b"FULLRESYNC" => {
            let entries = node.log().truncate(0);
            node.view().offset = 0;
            if entries > 0 {
                let epoch = node.view().epoch;
                node.record(StoreEvent::Discarded { entries, epoch });
            }
        }
        _ => return Err(NetError::Closed),
    }
    loop {
        let Value::Array(words) = reader.value(&stream).await? else { return Err(NetError::Closed) };
        let [_, key, Value::Bulk(value), epoch] = &words[..] else { return Err(NetError::Closed) };
        let number = |value: &Value| value.as_text().and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        let (Some(key), Some(epoch)) = (key.as_text(), number(epoch)) else { return Err(NetError::Closed) };
        let Place { epoch, seq } = node.log().push(Entry { epoch, key, bytes: value.len() });
        node.view().offset = seq;
        node.record(StoreEvent::Applied { epoch, seq });
    }
}

/// Feeds a replica until it goes or this node is no master any more.
pub(super) async fn feed(node: &Node, stream: &TcpStream, words: &[Value]) -> Result<(), NetError> {
    let number = |index: usize| -> Option<u64> {
        let text = words.get(index)?.as_text()?;
        std::str::from_utf8(&text).ok()?.parse().ok()
    };
    let (Some(epoch), Some(seq)) = (number(1), number(2)) else { return Err(NetError::Closed) };
    if !node.view().is_master() {
        return Err(NetError::Closed);
    }
    let agreed = node.log().at(seq) == Place { epoch, seq };
    let word: &'static [u8] = if agreed { b"CONTINUE" } else { b"FULLRESYNC" };
    stream.write(Value::Simple(word.into()).encode()).await?;
    let (name, bell) = node.feeds();
    let result = pour(node, stream, &bell, if agreed { seq + 1 } else { 1 }).await;
    node.leaves(name);
    result
}

/// Writes entries from `next` on as they come.
async fn pour(node: &Node, stream: &TcpStream, bell: &Queue<()>, mut next: u64) -> Result<(), NetError> {
    while node.view().is_master() {
        let entry = node.log().entry(next).cloned();
        let Some(entry) = entry else {
            bell.pop().await;
            continue;
        };
        next += 1;
        let set = Value::Array(vec![
            Value::text("SET"),
            Value::text(entry.key),
            Value::Bulk(Payload::filler(entry.bytes)),
            Value::text(entry.epoch.to_string()),
        ]);
        stream.write(set.encode()).await?;
    }
    Ok(())
}
