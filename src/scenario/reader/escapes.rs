//! What stands between quotes: escapes resolved, and each wrong one with its place.

use super::super::ast::Span;

/// A quoted text up to its closing quote.
pub(super) struct Quoted {
    /// The text with its escapes resolved.
    pub(super) text: String,
    /// The byte after the closing quote.
    pub(super) end: usize,
    /// What is wrong with which escape.
    pub(super) faults: Vec<(Span, &'static str)>,
}

/// Reads `source` from `start`, the byte after an opening `quote`; `None` if the quote is never closed.
pub(super) fn quoted(source: &str, start: usize, quote: char) -> Option<Quoted> {
    let mut out = Quoted { text: String::new(), end: start, faults: Vec::new() };
    let mut at = start;
    loop {
        let rest = &source[at..];
        let next = rest.find(['\\', quote])?;
        out.text.push_str(&rest[..next]);
        at += next;
        if source[at..].starts_with(quote) {
            out.end = at + quote.len_utf8();
            return Some(out);
        }
        let (meaning, length) = escape(&source[at + 1..]);
        let end = at + 1 + length;
        match meaning {
            Ok(Some(c)) => out.text.push(c),
            Ok(None) => {}
            Err(why) => out.faults.push((Span::new(at, end), why)),
        }
        at = end;
    }
}

/// What the escape stands for whose characters after the backslash `rest` begins with, and how many bytes they are.
fn escape(rest: &str) -> (Result<Option<char>, &'static str>, usize) {
    const UNKNOWN: &str =
        "escapes are \\\" \\' \\\\ \\n \\r \\t \\0 \\x41 and \\u{1F600}; a backslash itself is `\\\\`";
    let Some(c) = rest.chars().next() else { return (Err(UNKNOWN), 0) };
    let meaning = match c {
        '"' | '\'' | '\\' => c,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'x' => return hexadecimal(rest),
        'u' => return unicode(rest),
        // A backslash at the end of a line: the text goes on at the next line's first letter.
        '\n' | '\r' => {
            let blank = rest.find(|c| !matches!(c, ' ' | '\t' | '\n' | '\r')).unwrap_or(rest.len());
            return (Ok(None), blank);
        }
        _ => return (Err(UNKNOWN), c.len_utf8()),
    };
    (Ok(Some(meaning)), 1)
}

/// `x41`: an ASCII character.
fn hexadecimal(rest: &str) -> (Result<Option<char>, &'static str>, usize) {
    let digits: String = rest.chars().skip(1).take(2).take_while(char::is_ascii_hexdigit).collect();
    let length = 1 + digits.len();
    match u8::from_str_radix(&digits, 16) {
        Ok(byte) if digits.len() == 2 && byte.is_ascii() => (Ok(Some(char::from(byte))), length),
        _ => (Err("`\\x` takes two hexadecimal digits up to 7F; larger characters are `\\u{..}`"), length),
    }
}

/// `u{1F600}`: any character.
fn unicode(rest: &str) -> (Result<Option<char>, &'static str>, usize) {
    const WHY: &str = "`\\u{..}` takes one to six hexadecimal digits that name a character";
    let digits: String = match rest[1..].strip_prefix('{') {
        Some(digits) => digits.chars().take_while(char::is_ascii_hexdigit).collect(),
        None => return (Err(WHY), 1),
    };
    let length = 2 + digits.len();
    if !rest[length..].starts_with('}') {
        return (Err(WHY), length);
    }
    let named = if digits.len() <= 6 { u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32) } else { None };
    (named.map(Some).ok_or(WHY), length + 1)
}
