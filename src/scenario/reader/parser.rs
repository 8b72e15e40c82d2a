//! Tokens to the tree. A fault is reported where it is noticed and reading goes on with what was probably meant.

use super::super::ast::{Field, Kind, Span, Value, Word};
use super::super::diagnostic::{Code, Diagnostic};
use super::lexer::{self, Token};
use super::{MOST_DEPTH, MOST_FAULTS};

/// Reads the one value that `tokens` of `text` are; `None` when there is none at all.
pub(super) fn parse(text: &str, tokens: &[Token], faults: &mut Vec<Diagnostic>) -> Option<Value> {
    let mut parser = Parser { text, tokens, at: 0, open: Vec::new(), faults, looks: 0 };
    parser.looks = if parser.mismatches(&[], 0) == 0 { 0 } else { 100 };
    let value = parser.value("a value");
    if value.is_some() && !parser.full() {
        parser.nothing_more();
    }
    value
}

struct Parser<'a> {
    text: &'a str,
    /// The last one is the end.
    tokens: &'a [Token],
    at: usize,
    /// Brackets that are open here, the outermost first.
    open: Vec<(char, Span)>,
    faults: &'a mut Vec<Diagnostic>,
    /// How often the rest of the file may still be searched for brackets; none when all of them match.
    looks: u32,
}

impl Parser<'_> {
    fn peek(&self) -> &lexer::Kind {
        &self.tokens[self.at].kind
    }

    fn span(&self) -> Span {
        self.tokens[self.at].span
    }

    fn next(&self) -> Option<&lexer::Kind> {
        self.tokens.get(self.at + 1).map(|token| &token.kind)
    }

    /// Where the token before this one ends.
    fn behind(&self) -> Span {
        let end = self.at.checked_sub(1).map_or(0, |before| self.tokens[before].span.end);
        Span::new(end, end)
    }

    fn advance(&mut self) {
        // The end stays.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn full(&self) -> bool {
        self.faults.len() >= MOST_FAULTS
    }

    /// Reports a fault of syntax, with a pointer to a text just before that may be its cause.
    fn fault(&mut self, diagnostic: Diagnostic) {
        let before = self.tokens[..self.at].iter().rev().take(3);
        let long = before.filter(|token| matches!(token.kind, lexer::Kind::Text(_))).find(|token| {
            let written = &self.text[token.span.range()];
            written.starts_with('"') && written.contains('\n')
        });
        let diagnostic = match long {
            Some(token) if diagnostic.code == Code::Syntax => {
                diagnostic.also(token.span, "this text goes over several lines: is its closing quote forgotten?")
            }
            _ => diagnostic,
        };
        self.faults.push(diagnostic);
    }

    /// How the token here is called in "found ..".
    fn found(&self) -> String {
        match self.peek() {
            lexer::Kind::End => "the end of the file".to_owned(),
            lexer::Kind::Text(_) => "a text".to_owned(),
            lexer::Kind::Number => "a number".to_owned(),
            _ => format!("`{}`", &self.text[self.span().range()]),
        }
    }

    /// Behind the whole value.
    fn nothing_more(&mut self) {
        let span = self.span();
        match *self.peek() {
            lexer::Kind::End => {}
            lexer::Kind::Close(close) => {
                let fault = Diagnostic::error(Code::Unclosed, span, format!("`{close}` closes nothing"));
                self.fault(fault.help("the scenario is closed already: remove it, or an earlier one"));
            }
            lexer::Kind::Comma if matches!(self.next(), Some(lexer::Kind::End)) => {
                self.fault(Diagnostic::error(Code::Syntax, span, "a comma after the end").help("remove it"));
            }
            _ => {
                let message = format!("nothing may follow the value, but here is {}", self.found());
                self.fault(Diagnostic::error(Code::Syntax, span, message).help("one file holds one scenario"));
            }
        }
    }

    /// One value; `None`, with a report, where none begins. Leaves commas and closing brackets to the caller.
    fn value(&mut self, wanted: &str) -> Option<Value> {
        let Token { kind, span } = self.tokens[self.at].clone();
        let kind = match kind {
            lexer::Kind::Text(text) => Kind::Text(text),
            lexer::Kind::Number => Kind::Number(self.text[span.range()].to_owned()),
            lexer::Kind::Open(open) => return Some(self.bracket(open)),
            lexer::Kind::Name(name) => return Some(self.named(name, span)),
            _ => {
                let message = format!("{wanted} is missing");
                let found = self.found();
                self.fault(Diagnostic::error(Code::Syntax, span, message).label(format!("found {found}")));
                return None;
            }
        };
        self.advance();
        Some(Value { span, kind })
    }

    /// A name, with brackets behind it or without.
    fn named(&mut self, name: String, span: Span) -> Value {
        self.advance();
        if *self.peek() == lexer::Kind::Open('(') {
            let mut value = self.bracket('(');
            if name == "Some" {
                return self.unwrapped(value, span);
            }
            value.span = span.to(value.span);
            if let Kind::Struct { name: slot, .. } | Kind::Tuple { name: slot, .. } = &mut value.kind {
                *slot = Some(Word { text: name, span });
            }
            return value;
        }
        let kind = match name.as_str() {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ => Kind::Name(name),
        };
        Value { span, kind }
    }

    /// `Some(x)` is `x`; `Some(a, b)` and `Some(a: b)` are `(a, b)` and `(a: b)`.
    fn unwrapped(&mut self, mut value: Value, some: Span) -> Value {
        match &mut value.kind {
            Kind::Tuple { items, .. } if items.len() == 1 => items.remove(0),
            Kind::Tuple { items, .. } if items.is_empty() => {
                let span = some.to(value.span);
                self.fault(
                    Diagnostic::error(Code::Syntax, span, "`Some` of nothing").help("write the value, or `None`"),
                );
                value
            }
            _ => value,
        }
    }

    /// Everything from an opening bracket to the one that closes it.
    fn bracket(&mut self, open: char) -> Value {
        let start = self.span();
        self.advance();
        if self.open.len() >= MOST_DEPTH {
            return self.too_deep(open, start);
        }
        self.open.push((open, start));
        let kind = match open {
            '[' => Kind::List(self.items('[')),
            '{' => Kind::Map(self.entries()),
            _ if self.begins_field() => Kind::Struct { name: None, fields: self.fields() },
            _ => Kind::Tuple { name: None, items: self.items('(') },
        };
        self.open.pop();
        let end = self.at.checked_sub(1).map_or(start, |before| self.tokens[before].span);
        Value { span: start.to(end), kind }
    }

    /// Skips a bracket that is nested too deeply.
    fn too_deep(&mut self, open: char, start: Span) -> Value {
        let mut depth = 1;
        while depth > 0 && *self.peek() != lexer::Kind::End {
            match self.peek() {
                lexer::Kind::Open(_) => depth += 1,
                lexer::Kind::Close(_) => depth -= 1,
                _ => {}
            }
            self.advance();
        }
        let message = format!("this `{open}` is nested in {MOST_DEPTH} others");
        self.fault(Diagnostic::error(Code::TooDeep, start, message).help("no scenario needs so many"));
        Value { span: start.to(self.behind()), kind: Kind::List(Vec::new()) }
    }

    /// Whether a field begins here: `name:`, or a name that lacks its colon before a value.
    fn begins_field(&self) -> bool {
        match (self.peek(), self.next()) {
            (lexer::Kind::Name(_), Some(lexer::Kind::Colon)) => true,
            (lexer::Kind::Name(name), Some(lexer::Kind::Text(_) | lexer::Kind::Number)) => {
                name.starts_with(|c: char| c.is_ascii_lowercase())
            }
            _ => false,
        }
    }

    fn items(&mut self, open: char) -> Vec<Value> {
        let mut items = Vec::new();
        while !self.closes(open) && !self.left_open(open) {
            let before = self.at;
            if open == '(' && self.begins_field() && *self.peek() != lexer::Kind::End {
                let message = "a named field among values without names";
                let fault = Diagnostic::error(Code::Syntax, self.span(), message);
                self.fault(fault.help("brackets hold either fields, each `name: value`, or values"));
                self.advance();
                self.colon(before);
            }
            items.extend(self.value("a value"));
            self.separator(open, before);
        }
        items
    }

    fn fields(&mut self) -> Vec<Field> {
        let mut fields = Vec::new();
        while !self.closes('(') {
            let before = self.at;
            match self.peek().clone() {
                lexer::Kind::Name(text) => {
                    let name = Word { text, span: self.span() };
                    self.advance();
                    self.colon(before);
                    if let Some(value) = self.value(&format!("the value of `{}`", name.text)) {
                        fields.push(Field { name, value });
                    }
                }
                lexer::Kind::Text(text) if self.next() == Some(&lexer::Kind::Colon) => {
                    let fault = Diagnostic::error(Code::Syntax, self.span(), "the name of a field is not in quotes");
                    self.fault(fault.help(format!("write `{text}:`; names in quotes are keys, in `{{ }}`")));
                    self.advance();
                    self.advance();
                    self.value("a value");
                }
                _ => {
                    let message = "the name of a field is missing";
                    let fault =
                        Diagnostic::error(Code::Syntax, self.span(), message).label(format!("found {}", self.found()));
                    self.fault(fault.help("every value in these brackets is written `name: value`"));
                    let begins =
                        !matches!(self.peek(), lexer::Kind::Comma | lexer::Kind::Colon | lexer::Kind::Close(_));
                    if begins {
                        self.value("a value");
                    }
                }
            }
            self.separator('(', before);
        }
        fields
    }

    fn entries(&mut self) -> Vec<(Value, Value)> {
        let mut entries = Vec::new();
        while !self.closes('{') && !self.left_open('{') {
            let before = self.at;
            if let Some(key) = self.value("a key") {
                self.colon(before);
                let wanted =
                    format!("the value of `{}`", self.text[key.span.range()].lines().next().unwrap_or_default());
                entries.extend(self.value(&wanted).map(|value| (key, value)));
            }
            self.separator('{', before);
        }
        entries
    }

    /// The colon between a name, whose first token is `name`, and its value.
    fn colon(&mut self, name: usize) {
        if *self.peek() == lexer::Kind::Colon {
            self.advance();
        } else if !matches!(self.peek(), lexer::Kind::Comma | lexer::Kind::Close(_) | lexer::Kind::End) {
            let written = self.text[self.tokens[name].span.range()].to_owned();
            let fault = Diagnostic::error(Code::Syntax, self.behind(), "a colon is missing");
            self.fault(fault.help(format!("write `{written}: ..`")));
        }
    }

    /// What has to stand behind an entry that began at token `before`: a comma, or the closing bracket.
    fn separator(&mut self, open: char, before: usize) {
        match self.peek() {
            lexer::Kind::Comma => self.advance(),
            lexer::Kind::Close(_) | lexer::Kind::End => {}
            lexer::Kind::Colon => {
                let help = match open {
                    '(' => "a field is written `name: value`",
                    '[' => "a list has values only; `{ key: value }` is a map",
                    _ => "an entry is written `key: value`",
                };
                self.fault(Diagnostic::error(Code::Syntax, self.span(), "a superfluous colon").help(help));
                self.advance();
            }
            // The comma stands within a bracket that was left open.
            _ if self.at > before && self.tokens[self.at - 1].kind == lexer::Kind::Comma => {}
            _ if self.at > before => {
                let fault = Diagnostic::error(Code::Syntax, self.behind(), "a comma is missing").label("here");
                self.fault(fault.help("entries are separated by commas"));
            }
            _ => self.advance(),
        }
        if self.full() {
            self.at = self.tokens.len() - 1;
        }
    }

    /// Whether the bracket ends here; takes its closing bracket, or reports that another stands there.
    fn closes(&mut self, open: char) -> bool {
        let (_, start) = self.open.last().copied().unwrap_or_default();
        let close = match *self.peek() {
            lexer::Kind::Close(close) => close,
            lexer::Kind::End => {
                self.unclosed_at_end(open, start);
                return true;
            }
            _ => return false,
        };
        if close == closing(open) {
            self.advance();
            return true;
        }
        let outer = self.open.iter().rev().skip(1).find(|(outer, _)| closing(*outer) == close).copied();
        let typo = self.mismatches(&self.open[..self.open.len() - 1], self.at + 1);
        let stray = self.mismatches(&self.open, self.at + 1);
        let missing = outer.map_or(usize::MAX, |_| self.mismatches(&self.open[..self.open.len() - 1], self.at));
        let (span, right) = (self.span(), closing(open));
        if missing < typo && missing <= stray {
            let fault = Diagnostic::error(Code::Unclosed, start, format!("this `{open}` is never closed"));
            let fault = fault.also(span, format!("a `{right}` is missing before this `{close}`"));
            let fault = match outer {
                Some((outer, at)) => fault.also(at, format!("which closes this `{outer}`")),
                None => fault,
            };
            self.fault(fault.help(format!("close it with `{right}`")));
            return true;
        }
        if stray < typo {
            let fault = Diagnostic::error(Code::Unclosed, span, format!("`{close}` closes nothing"));
            self.fault(fault.also(start, format!("the bracket open here is this `{open}`")).help("remove it"));
            self.advance();
            let entry_before =
                self.at >= 2 && !matches!(self.tokens[self.at - 2].kind, lexer::Kind::Comma | lexer::Kind::Open(_));
            if entry_before && *self.peek() == lexer::Kind::Comma {
                self.advance();
            }
            if self.full() {
                self.at = self.tokens.len() - 1;
            }
            return self.closes(open);
        }
        let fault = Diagnostic::error(Code::Unclosed, span, format!("`{open}` is closed by `{close}`"));
        self.fault(fault.label(format!("should be `{right}`")).also(start, "opened here"));
        self.advance();
        true
    }

    /// Whether a field of the struct around begins inside this list or map, whose closing bracket is therefore missing; reports it.
    fn left_open(&mut self, open: char) -> bool {
        let [.., (around, _), (_, start)] = *self.open.as_slice() else { return false };
        let field = matches!((self.peek(), self.next()), (lexer::Kind::Name(_), Some(lexer::Kind::Colon)));
        if open == '(' || around != '(' || !field {
            return false;
        }
        // Looking at the whole rest for every key of a large map would be quadratic.
        self.looks = self.looks.saturating_sub(1);
        if self.looks == 0 {
            return false;
        }
        let as_if_closed = self.mismatches(&self.open[..self.open.len() - 1], self.at);
        if as_if_closed >= self.mismatches(&self.open, self.at) {
            return false;
        }
        let close = closing(open);
        let fault = Diagnostic::error(Code::Unclosed, start, format!("this `{open}` is never closed"));
        let fault = fault.also(self.span(), format!("a `{close}` is missing before this field"));
        self.fault(fault.help(format!("close it with `{close}`")));
        true
    }

    /// The file ends inside a bracket: reported once, for the innermost.
    fn unclosed_at_end(&mut self, open: char, start: Span) {
        let reported =
            self.full() || self.faults.iter().any(|fault| fault.code == Code::Unclosed && fault.label == AT_END);
        if !reported {
            let fault =
                Diagnostic::error(Code::Unclosed, start, format!("this `{open}` is never closed")).label(AT_END);
            let others = self.open.len() - 1;
            let help = format!("close it with `{}`", closing(open));
            let fault = fault.also(self.span(), "the file ends here");
            self.fault(match others {
                0 => fault.help(help),
                1 => fault.help(format!("{help}; the bracket around it is open, too")),
                _ => fault.help(format!("{help}; {others} brackets around it are open, too")),
            });
        }
    }

    /// How many brackets do not match when the tokens from `from` on are read with `open` open.
    fn mismatches(&self, open: &[(char, Span)], from: usize) -> usize {
        let mut open: Vec<char> = open.iter().map(|(bracket, _)| *bracket).collect();
        let mut wrong = 0;
        for token in &self.tokens[from..] {
            match token.kind {
                lexer::Kind::Open(bracket) => open.push(bracket),
                lexer::Kind::Close(close) if open.pop().is_none_or(|bracket| closing(bracket) != close) => wrong += 1,
                _ => {}
            }
        }
        wrong + open.len()
    }
}

const AT_END: &str = "opened here";

const fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}
