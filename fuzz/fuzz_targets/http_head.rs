//! Heads of HTTP/1.1 requests and responses: what decodes is encoded and decodes to the same again.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lightlag::app::http1::{Request, Response, head_end};

fuzz_target!(|data: &[u8]| {
    let Some(end) = head_end(data, 0) else { return };
    assert!(end <= data.len());
    let head = Bytes::copy_from_slice(&data[..end]);
    if let Ok(request) = Request::decode(&head) {
        let again = request.encode();
        assert_eq!(Request::decode(&again).as_ref(), Ok(&request));
    }
    if let Ok(response) = Response::decode(&head) {
        let again = response.encode();
        assert_eq!(Response::decode(&again).as_ref(), Ok(&response));
    }
});
