//! RON text to tokens with positions; what cannot be a token is reported and replaced by what was probably meant.

use super::super::ast::Span;
use super::super::diagnostic::{Code, Diagnostic};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// An opening bracket: `(`, `[` or `{`.
    Open(char),
    /// A closing bracket.
    Close(char),
    Comma,
    Colon,
    /// A text or character with its escapes resolved.
    Text(String),
    /// A number as written.
    Number,
    /// An identifier, corrected where the file's cannot be one.
    Name(String),
    /// The end of the file.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// All tokens of a text, the last one being [`Kind::End`].
pub(super) struct Tokens {
    pub(super) list: Vec<Token>,
    pub(super) faults: Vec<Diagnostic>,
    /// Whether the rest of the text could not be read, so that what the tokens lack at their end is not a fault of its own.
    pub(super) cut: bool,
}

/// Splits `text` into tokens. Never fails: each fault is listed and reading goes on behind it.
pub(super) fn tokens(text: &str) -> Tokens {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lexer = Lexer { text, at: start, out: Tokens { list: Vec::new(), faults: Vec::new(), cut: false } };
    lexer.attributes();
    while lexer.out.faults.len() < super::MOST_FAULTS && lexer.token() {}
    lexer.out.cut |= lexer.at < text.len();
    let end = Span::new(text.len(), text.len());
    lexer.out.list.push(Token { kind: Kind::End, span: end });
    lexer.out
}

pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) out: Tokens,
}

impl<'a> Lexer<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn since(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    pub(super) fn skip_while(&mut self, test: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !test(c)).unwrap_or(rest.len());
    }

    pub(super) fn push(&mut self, kind: Kind, start: usize) {
        let span = self.since(start);
        self.out.list.push(Token { kind, span });
    }

    pub(super) fn fault(&mut self, diagnostic: Diagnostic) {
        self.out.faults.push(diagnostic);
    }

    /// Reads one token, or reports what stands there; false at the end.
    fn token(&mut self) -> bool {
        self.blank();
        let start = self.at;
        let Some(c) = self.peek() else { return false };
        match c {
            '(' | '[' | '{' => self.single(Kind::Open(c)),
            ')' | ']' | '}' => self.single(Kind::Close(c)),
            ',' => self.single(Kind::Comma),
            ':' => self.single(Kind::Colon),
            '"' => self.text_token(),
            'r' if self.rest().starts_with("r\"") || self.rest().starts_with("r#") => self.raw_text(),
            'b' if self.rest().starts_with("b\"") || self.rest().starts_with("b'") => {
                self.at += 1;
                let fault = Diagnostic::error(Code::Syntax, self.since(start), "a scenario has no byte strings");
                self.fault(fault.help("remove the `b`"));
            }
            '\'' => self.character(),
            '0'..='9' | '+' | '-' | '.' => self.number(),
            c if c == '_' || c.is_alphabetic() => self.name(),
            _ => self.stranger(c),
        }
        true
    }

    fn single(&mut self, kind: Kind) {
        let start = self.at;
        self.at += 1;
        self.push(kind, start);
    }

    /// White space and comments.
    fn blank(&mut self) {
        loop {
            self.skip_while(is_white);
            if self.rest().starts_with("//") {
                self.skip_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.block_comment();
            } else {
                return;
            }
        }
    }

    /// A comment in `/* */`, which may hold others.
    fn block_comment(&mut self) {
        let start = self.at;
        let mut open = vec![start];
        self.at += 2;
        while let Some(inner) = open.last().copied() {
            let Some(found) = self.rest().find(['/', '*']) else {
                let end = self.text.len();
                self.at = end;
                self.out.cut = true;
                let mut fault =
                    Diagnostic::error(Code::Unclosed, Span::new(start, start + 2), "this comment is never closed")
                        .label("opened here")
                        .help("close it with `*/`; comments nest, so each `/*` needs its own");
                if inner != start {
                    fault = fault.also(Span::new(inner, inner + 2), "and another within it");
                }
                self.fault(fault);
                return;
            };
            self.at += found;
            if self.rest().starts_with("/*") {
                open.push(self.at);
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                open.pop();
                self.at += 2;
            } else {
                self.at += 1;
            }
        }
    }

    /// `#![enable(..)]` lines at the beginning. What they enable is on anyway, so nothing follows from them.
    fn attributes(&mut self) {
        const KNOWN: [&str; 4] =
            ["unwrap_newtypes", "implicit_some", "unwrap_variant_newtypes", "explicit_struct_names"];
        loop {
            self.blank();
            let start = self.at;
            if !self.rest().starts_with('#') {
                return;
            }
            let line_end = self.rest().find(['\n', ']']).map_or(self.text.len(), |end| start + end);
            let body: String = self.text[start..line_end].chars().filter(|c| !is_white(*c)).collect();
            let closed = self.text[line_end..].starts_with(']');
            self.at = line_end + usize::from(closed);
            let list = body.strip_prefix("#![enable(").and_then(|list| list.strip_suffix(')'));
            let names: Option<Vec<&str>> = list.map(|list| list.strip_suffix(',').unwrap_or(list).split(',').collect());
            match names.filter(|_| closed) {
                Some(names) if names.iter().all(|name| KNOWN.contains(name)) => {}
                Some(_) => {
                    let help = format!("RON knows {}; all but the last are on without asking", KNOWN.join(", "));
                    self.fault(
                        Diagnostic::error(Code::Syntax, self.since(start), "no such extension of RON").help(help),
                    );
                }
                None => {
                    let fault = Diagnostic::error(Code::Syntax, self.since(start), "this is not an attribute of RON");
                    self.fault(
                        fault.help("comments begin with `//`; attributes look like `#![enable(implicit_some)]`"),
                    );
                }
            }
        }
    }

    /// An identifier. RON's are letters, digits and `_`.
    fn name(&mut self) {
        let start = self.at;
        self.skip_while(is_word);
        // `run-for`: a name from another language.
        let plain_end = self.at;
        while self.rest().starts_with('-') && self.rest()[1..].starts_with(|c: char| c.is_alphabetic()) {
            self.at += 1;
            self.skip_while(is_word);
        }
        let written = &self.text[start..self.at];
        let name = written.replace('-', "_");
        if self.at > plain_end {
            let fault = Diagnostic::error(Code::Syntax, self.since(start), format!("`{written}` is not a name"));
            self.fault(fault.help(format!("names have no hyphen: write `{name}`, or quote it if it is a text")));
        } else if !written.is_ascii() {
            let fault = Diagnostic::error(Code::Syntax, self.since(start), format!("`{written}` is not a name"));
            self.fault(
                fault.help("bare names are of ASCII letters, digits and `_`; write anything else as a text, in quotes"),
            );
        }
        self.push(Kind::Name(name), start);
    }
}

pub(super) const fn is_white(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\n' | '\r' | '\x0B' | '\x0C' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
    )
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
