//! Validators: whether what somebody has is still what there is (RFC 9110 8.8.3, 13.1.2).

use crate::app::http1::Fields;

/// Whether a request's `If-None-Match` names the version with this entity tag, so that it need not be sent again. Tags are compared
/// weakly, as for this field they are.
#[must_use]
pub fn matches(request: &Fields, etag: &[u8]) -> bool {
    let bare = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let etag = bare(etag);
    tags(request).any(|tag| tag == b"*" || bare(tag) == etag)
}

/// Whether a request has a condition on the version.
#[must_use]
pub fn is_conditional(request: &Fields) -> bool {
    request.get("if-none-match").is_some()
}

/// The tags of `If-None-Match`. Those that servers of a simulation make have no commas in them.
fn tags(request: &Fields) -> impl Iterator<Item = &[u8]> {
    request.all("if-none-match").flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// The number at the beginning of a tag, by which observers know versions apart: servers of a simulation count them.
#[must_use]
pub fn version(etag: &[u8]) -> Option<u64> {
    let tag = etag.strip_prefix(b"W/").unwrap_or(etag);
    let digits = tag.strip_prefix(b"\"").unwrap_or(tag);
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_weakly_and_one_of_several_is_enough() {
        let mut request = Fields::default();
        assert!(!matches(&request, b"\"1\"") && !is_conditional(&request));
        request.push("If-None-Match", "\"1\", W/\"2\"");
        assert!(matches(&request, b"\"2\"") && matches(&request, b"W/\"1\"") && is_conditional(&request));
        assert!(!matches(&request, b"\"3\"") && !matches(&request, b"\"12\""));
        let mut any = Fields::default();
        any.push("If-None-Match", "*");
        assert!(matches(&any, b"\"7\""));
    }

    #[test]
    fn versions_are_counted() {
        assert_eq!([&b"\"17\""[..], b"W/\"3-de\"", b"\"x\"", b""].map(version), [Some(17), Some(3), None, None]);
    }
}
