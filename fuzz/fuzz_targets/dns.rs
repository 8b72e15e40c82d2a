//! DNS messages: what decodes is encoded, and decodes to the same again where nothing had to be cut off.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lightlag::app::dns::Message;

fuzz_target!(|data: &[u8]| {
    let Ok(message) = Message::decode(data) else { return };
    let _ = message.encode(512);
    let again = message.encode(usize::MAX);
    assert_eq!(Message::decode(&again).as_ref(), Ok(&message));
});
