//! The tokens that have an inside: texts, characters, numbers, and strangers from other languages.

use super::super::ast::Span;
use super::super::diagnostic::{Code, Diagnostic};
use super::escapes;
use super::lexer::{Kind, Lexer, is_white};

impl Lexer<'_> {
    /// A text in double quotes.
    pub(super) fn text_token(&mut self) {
        let start = self.at;
        match escapes::quoted(self.text, start + 1, '"') {
            Some(quoted) => self.quoted(start, quoted),
            None => self.unclosed_text(start),
        }
    }

    fn quoted(&mut self, start: usize, quoted: escapes::Quoted) {
        self.at = quoted.end;
        for (span, why) in quoted.faults {
            let written = &self.text[span.range()];
            let message = format!("`{}` is not an escape", written.escape_debug());
            self.fault(Diagnostic::error(Code::BadEscape, span, message).help(why));
        }
        self.push(Kind::Text(quoted.text), start);
    }

    /// The quote at `last` is never closed. A forgotten quote turns all texts behind it inside out, so that the culprit is more
    /// likely the first text that goes over a line's end; reading goes on as if that one ended at its line.
    fn unclosed_text(&mut self, last: usize) {
        let over_lines = self.out.list.iter().position(|token| {
            let written = &self.text[token.span.range()];
            matches!(token.kind, Kind::Text(_)) && written.starts_with('"') && written.contains('\n')
        });
        let start = match over_lines {
            Some(index) => {
                let start = self.out.list[index].span.start;
                self.out.list.truncate(index);
                self.out.faults.retain(|fault| fault.span.start < start);
                start
            }
            None => last,
        };
        let line = self.text[start..].lines().next().unwrap_or("\"");
        let line = line.split_once(" //").map_or(line, |(code, _)| code);
        let kept = line.trim_end_matches(|c: char| is_white(c) || matches!(c, ',' | ')' | ']' | '}'));
        self.at = start + kept.len().max(1);
        let text = self.text[start + 1..self.at].to_owned();
        let fault = Diagnostic::error(Code::Unclosed, self.since(start), "this text is never closed");
        self.fault(fault.label("opened here").help("close it with `\"` on the same line"));
        self.push(Kind::Text(text), start);
    }

    /// `r"raw"`, `r#"raw"#`..: a text without escapes.
    pub(super) fn raw_text(&mut self) {
        let start = self.at;
        let hashes = self.rest()[1..].bytes().take_while(|b| *b == b'#').count();
        self.at += 1 + hashes;
        let open = self.since(start);
        if !self.rest().starts_with('"') {
            let fault = Diagnostic::error(Code::Syntax, open, "this is not a raw text");
            self.fault(fault.help("a raw text is `r\"..\"` or `r#\"..\"#`"));
            return;
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = self.at + 1;
        if let Some(length) = self.text[inside..].find(&close) {
            self.at = inside + length + close.len();
            self.push(Kind::Text(self.text[inside..inside + length].to_owned()), start);
        } else {
            self.at = self.text.len();
            self.out.cut = true;
            let fault = Diagnostic::error(Code::Unclosed, Span::new(start, inside), "this raw text is never closed");
            self.fault(fault.label("opened here").help(format!("close it with `{close}`")));
        }
    }

    /// `'a'`: one character, which is as good as a text of one; more is a text in the wrong quotes.
    pub(super) fn character(&mut self) {
        let start = self.at;
        let line = &self.text[..start + self.rest().find('\n').unwrap_or(self.rest().len())];
        let Some(quoted) = escapes::quoted(line, start + 1, '\'') else {
            self.at += 1;
            let fault = Diagnostic::error(Code::Syntax, self.since(start), "a single quote does not open a text");
            self.fault(fault.help("texts are in double quotes: `\"..\"`"));
            return;
        };
        if quoted.text.chars().count() != 1 && quoted.faults.is_empty() {
            let span = Span::new(start, quoted.end);
            let fault = Diagnostic::error(Code::Syntax, span, "a text in single quotes");
            self.fault(fault.help(format!("texts are in double quotes: `\"{}\"`", quoted.text)));
        }
        self.quoted(start, quoted);
    }

    /// A number, or a quantity whose quotes were forgotten.
    pub(super) fn number(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut previous = '0';
        let hexadecimal = self.text[start..].trim_start_matches(['+', '-']).starts_with("0x");
        while let Some(c) = self.peek() {
            let exponent = !hexadecimal && matches!(previous, 'e' | 'E') && matches!(c, '+' | '-');
            let unit = c == '%' || (c == '/' && self.rest()[1..].starts_with(|c: char| c.is_ascii_alphabetic()));
            if !(c.is_alphanumeric() || matches!(c, '.' | '_') || exponent || unit) {
                break;
            }
            previous = c;
            self.at += c.len_utf8();
        }
        let written = &self.text[start..self.at];
        match fault_of(written) {
            None => self.push(Kind::Number, start),
            Some(Fault::Unquoted) => {
                let fault =
                    Diagnostic::error(Code::BadNumber, self.since(start), format!("`{written}` is not in quotes"));
                self.fault(fault.help(format!("a number with a unit is quoted: `\"{written}\"`")));
                self.push(Kind::Text(written.to_owned()), start);
            }
            Some(Fault::Other(help)) => {
                let fault =
                    Diagnostic::error(Code::BadNumber, self.since(start), format!("`{written}` is not a number"));
                self.fault(fault.help(help));
                self.push(Kind::Number, start);
            }
        }
    }

    /// A character that begins no token: what another language would mean by it, and on as if RON's had been written.
    pub(super) fn stranger(&mut self, c: char) {
        let start = self.at;
        let line_end = start + self.rest().find('\n').unwrap_or(self.rest().len());
        let (help, kind): (&str, Option<Kind>) = match c {
            '=' => {
                self.skip_while(|c| matches!(c, '=' | '>'));
                ("a field is written `name: value`, with a colon", Some(Kind::Colon))
            }
            ';' => {
                self.at += 1;
                ("entries are separated by commas", Some(Kind::Comma))
            }
            '#' | '/' => {
                self.at = line_end;
                ("a comment begins with `//`", None)
            }
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}' | '`' => {
                self.at += c.len_utf8();
                let inside = self.at;
                let close = |c: char| matches!(c, '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' | '`' | '"');
                let text = self.text[inside..line_end].find(close).map(|length| {
                    let text = self.text[inside..inside + length].to_owned();
                    self.at = inside + length + self.text[inside + length..].chars().next().map_or(0, char::len_utf8);
                    Kind::Text(text)
                });
                ("texts are in straight double quotes: `\"..\"`", text)
            }
            _ => {
                let known = |c: char| is_white(c) || c.is_alphanumeric() || "()[]{},:;=\"'_+-.".contains(c);
                self.skip_while(|c| !known(c));
                ("remove it, or quote it if it belongs to a text", None)
            }
        };
        let written: String = self.text[start..self.at].chars().take(12).flat_map(char::escape_debug).collect();
        let fault = Diagnostic::error(Code::Syntax, self.since(start), format!("`{written}` has no meaning here"));
        self.fault(fault.help(help));
        if let Some(kind) = kind {
            self.push(kind, start);
        }
    }
}

enum Fault {
    Unquoted,
    Other(&'static str),
}

/// Why `written` is not a number of RON's, if it is not: decimal with `_` between digits, a point and an exponent, or an integer
/// after `0x`, `0o` or `0b`; an integer fits into 64 bits.
fn fault_of(written: &str) -> Option<Fault> {
    let unsigned = written.strip_prefix(['+', '-']).unwrap_or(written);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            let plain = digits.replace('_', "");
            let fits = !digits.starts_with('_') && u64::from_str_radix(&plain, radix).is_ok();
            return (!fits).then_some(Fault::Other("these digits do not fit the base, or into 64 bits"));
        }
    }
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '_')).unwrap_or(unsigned.len());
    let (mantissa, rest) = unsigned.split_at(end);
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit())
            && text.ends_with(|c: char| c.is_ascii_digit())
            && !text.contains("__")
    };
    if !digits(whole) || fraction.is_some_and(|fraction| !digits(fraction) || fraction.contains('.')) {
        return Some(Fault::Other("a number has digits on both sides of its point: `0.5`"));
    }
    if rest.is_empty() {
        let plain = whole.replace('_', "");
        let integer = if written.starts_with('-') {
            format!("-{plain}").parse::<i64>().is_ok()
        } else {
            plain.parse::<u64>().is_ok()
        };
        let fits = fraction.is_some() || integer;
        return (!fits).then_some(Fault::Other("an integer has to fit into 64 bits"));
    }
    let exponent = rest.strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
    match exponent {
        Some(exponent) if !exponent.is_empty() && exponent.bytes().all(|b| b.is_ascii_digit()) => None,
        _ => Some(Fault::Unquoted),
    }
}
