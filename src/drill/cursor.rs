//! A place in a script's text: what the parsers of its lines read with.

use super::script::Problem;
use crate::base::Span;

/// A place in the text, which moves on as things are taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Line of the text's first character.
    first_line: usize,
}

impl<'a> Cursor<'a> {
    /// The start of `text`, whose first line has the number `first_line`.
    pub(super) const fn new(text: &'a str, first_line: usize) -> Self {
        Self { text, at: 0, first_line }
    }

    /// What has not been taken.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The line here, counted from one.
    pub(super) fn line(&self) -> usize {
        self.first_line + self.text[..self.at].bytes().filter(|&byte| byte == b'\n').count()
    }

    /// The next character, nothing skipped.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Skips white space and comments; true if nothing is left.
    pub(super) fn at_end(&mut self) -> bool {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.at += trimmed.find("*/").map_or(trimmed.len(), |end| end + 2);
            } else {
                return trimmed.is_empty();
            }
        }
    }

    /// Takes `what` if it comes next, after white space and comments.
    pub(super) fn eat(&mut self, what: &str) -> bool {
        self.at_end();
        self.eat_here(what)
    }

    /// Takes `what` if it comes next at once.
    pub(super) fn eat_here(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.at += what.len();
        }
        found
    }

    /// Takes the word `what` if it comes next and ends there.
    pub(super) fn eat_word(&mut self, what: &str) -> bool {
        let before = *self;
        if self.eat(what) && !self.peek().is_some_and(|next| next.is_alphanumeric() || next == '_') {
            return true;
        }
        *self = before;
        false
    }

    /// Takes `what`, or says that it is missing.
    pub(super) fn need(&mut self, what: &str) -> Result<(), Problem> {
        if self.eat(what) { Ok(()) } else { Err(self.expected(&format!("`{what}`"))) }
    }

    /// Takes characters as long as they are `wanted`.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !wanted(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// Takes everything before `end`, and `end`.
    pub(super) fn take_until(&mut self, end: &str) -> Result<&'a str, Problem> {
        let rest = self.rest();
        let Some(len) = rest.find(end) else { return Err(self.expected(&format!("`{end}`"))) };
        self.at += len + end.len();
        Ok(&rest[..len])
    }

    /// Takes a name.
    pub(super) fn word(&mut self) -> &'a str {
        self.at_end();
        self.take_while(|c| c.is_alphanumeric() || c == '_')
    }

    /// Takes a number: decimal, or hexadecimal behind `0x`.
    pub(super) fn number(&mut self) -> Result<i64, Problem> {
        self.at_end();
        let before = *self;
        let digits = self.take_while(char::is_alphanumeric);
        let value = match digits.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        value.map_err(|_| before.expected("a number"))
    }

    /// Takes a number of at most 32 bits.
    pub(super) fn number32(&mut self) -> Result<u32, Problem> {
        let before = *self;
        u32::try_from(self.number()?).map_err(|_| before.expected("a number below 2^32"))
    }

    /// Takes seconds with at most nine decimals: `0.25`, `.1`, `3`.
    pub(super) fn seconds(&mut self) -> Result<Span, Problem> {
        self.at_end();
        let before = *self;
        let whole = self.take_while(|c| c.is_ascii_digit());
        let mut decimals = "";
        if !self.rest().starts_with("...") && self.eat_here(".") {
            decimals = self.take_while(|c| c.is_ascii_digit());
        }
        if whole.is_empty() && decimals.is_empty() || decimals.len() > 9 {
            return Err(before.expected("a time in seconds"));
        }
        let digits = format!("{whole}{decimals:0<9}");
        digits.parse().map(Span::from_nanos).map_err(|_| before.expected("a time in seconds"))
    }

    /// Something else stands here than what belongs here.
    pub(super) fn expected(&self, what: &str) -> Problem {
        let found: String = self.rest().trim_start().chars().take_while(|&c| c != '\n').take(40).collect();
        let found = if found.is_empty() { "the end".into() } else { format!("`{}`", found.trim_end()) };
        Problem { line: self.line(), construct: format!("{found} where {what} belongs") }
    }

    /// Something stands here that the interpreter does not know.
    pub(super) fn unsupported(&self, what: impl Into<String>) -> Problem {
        Problem { line: self.line(), construct: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_skipped_and_lines_counted() {
        let mut cursor = Cursor::new("// one\n/* two\nthree */ word // four\n 7", 1);
        assert_eq!(cursor.word(), "word");
        assert_eq!(cursor.line(), 3);
        assert_eq!(cursor.number(), Ok(7));
        assert!(cursor.at_end());
    }

    #[test]
    fn times_are_exact_to_the_nanosecond() {
        let read = |text| Cursor::new(text, 1).seconds().map(Span::as_nanos);
        assert_eq!(read(".1"), Ok(100_000_000));
        assert_eq!(read("3"), Ok(3_000_000_000));
        assert_eq!(read("0.000000001"), Ok(1));
        assert_eq!(read("2...3"), Ok(2_000_000_000));
        assert!(read("0.0000000001").is_err() && read(".").is_err());
    }
}
