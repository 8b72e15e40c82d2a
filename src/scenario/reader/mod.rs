//! RON text to a tree that knows where everything stands, or every syntax error at once.
//!
//! The language is the `ron` crate's with `implicit_some`, `unwrap_newtypes` and `unwrap_variant_newtypes`; without byte strings,
//! raw identifiers and suffixes of numbers. Whatever is read here without a fault, `ron` reads too, as the same values. The reader is
//! our own because a scenario's author is owed positions of every name and more than one error per run.

mod escapes;
mod lexer;
mod parser;
mod words;

use super::ast::{Kind, Span, Value};
use super::diagnostic::{self, Code, Diagnostic};

/// Reading stops after so many faults: what follows is most likely their consequence.
const MOST_FAULTS: usize = 20;

/// How deeply brackets may be nested.
pub const MOST_DEPTH: usize = 64;

const BEGINS: &str =
    "a scenario is RON text that begins with `Scenario(` and then has fields: `name: \"my-scenario\", ..`";

/// Reads a scenario file: one struct, `Scenario(..)` or `(..)`.
pub fn read(text: &str) -> Result<Value, Vec<Diagnostic>> {
    if let Some(fault) = not_ron(text) {
        return Err(vec![fault]);
    }
    let value = value(text)?;
    match value.kind {
        Kind::Struct { .. } => Ok(value),
        Kind::Tuple { ref items, .. } if items.is_empty() => Ok(value),
        _ => {
            let message = format!("a scenario has to be one struct; this file is {}", value.describe());
            let open = Span::new(value.span.start, (value.span.start + 1).min(value.span.end));
            Err(vec![Diagnostic::error(Code::NotRon, open, message).help(BEGINS)])
        }
    }
}

/// Reads one RON value of any kind, with comments around it.
pub fn value(text: &str) -> Result<Value, Vec<Diagnostic>> {
    let lexer::Tokens { list: tokens, mut faults, cut } = lexer::tokens(text);
    let value = if cut { None } else { parser::parse(text, &tokens, &mut faults) };
    match value {
        Some(value) if faults.is_empty() => Ok(value),
        _ => {
            diagnostic::sort(&mut faults);
            faults.truncate(MOST_FAULTS);
            Err(faults)
        }
    }
}

/// The diagnostic for a file that is not UTF-8 text at all; its place is the first byte that is not, in the text that
/// [`String::from_utf8_lossy`] makes of the file.
#[must_use]
pub fn not_text(error: std::str::Utf8Error) -> Diagnostic {
    let at = error.valid_up_to();
    let message = format!("the file is not UTF-8 text: its byte {at} begins no character");
    Diagnostic::error(Code::NotRon, Span::new(at, at + '\u{fffd}'.len_utf8()), message).help(BEGINS)
}

/// What else the file is, where its beginning makes that plain: one answer instead of a page of syntax errors.
fn not_ron(text: &str) -> Option<Diagnostic> {
    let fault = |span: Span, message: &str| Some(Diagnostic::error(Code::NotRon, span, message).help(BEGINS));
    let blank = |c: char| lexer::is_white(c) || c == '\u{feff}';
    if let Some(at) = text.find(|c: char| c.is_control() && !lexer::is_white(c)) {
        let control = text[at..].chars().next().map_or(0, char::len_utf8);
        return fault(Span::new(at, at + control), "the file is not a text: it holds control characters");
    }
    if text.trim_start_matches(blank).starts_with('<') {
        let at = text.find('<').unwrap_or(0);
        return fault(Span::new(at, at + 1), "the file looks like XML or HTML: it begins with `<`");
    }
    let tokens = lexer::tokens(text).list;
    let [first, second] = [0, 1].map(|index| tokens.get(index));
    let first = first?;
    match (&first.kind, second.map(|token| &token.kind)) {
        (lexer::Kind::End, _) if text.trim_matches(blank).is_empty() => fault(Span::new(0, 0), "the file is empty"),
        (lexer::Kind::End, _) if !text.contains("/*") && !text.contains('"') => {
            fault(Span::new(0, 0), "the file has only comments")
        }
        (lexer::Kind::Open('{'), Some(lexer::Kind::Text(_) | lexer::Kind::Close('}'))) => {
            fault(first.span, "the file looks like JSON: it begins with `{`")
        }
        (lexer::Kind::Open('['), Some(lexer::Kind::Name(_))) => {
            fault(first.span, "the file looks like TOML: it begins with `[section]`")
        }
        (lexer::Kind::Open('['), _) => fault(first.span, "the file is a list, not a scenario"),
        (lexer::Kind::Name(_), Some(lexer::Kind::Colon)) => {
            let equals = second.is_some_and(|token| text[token.span.range()].starts_with('='));
            let like = if equals { "TOML: it begins with `name = ..`" } else { "YAML: it begins with `name: ..`" };
            fault(first.span.to(tokens[1].span), &format!("the file looks like {like}"))
        }
        (lexer::Kind::Name(_), Some(lexer::Kind::Name(_) | lexer::Kind::Number | lexer::Kind::Comma)) => {
            fault(first.span, "the file does not begin like a scenario")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
