//! One list of diagnostics, three looks: annotated snippets for people, one line each for editors, JSON for programs.

use super::ast::Span;
use super::diagnostic::{Diagnostic, Severity};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use serde::Serialize;
use std::fmt::Write as _;
use std::ops::Range;

/// A scenario's text and what to call it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name printed before positions, as the user gave it.
    pub path: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// A position as editors count it: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

impl Source<'_> {
    /// Line and column of byte `offset`; past the end counts as the end, inside a character as its beginning.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text[..floor(self.text, offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The bytes to underline for `span`: on one line, since a brace along twenty lines of a struct hides the fault in it.
    fn underlined(&self, span: Span) -> Range<usize> {
        let start = floor(self.text, span.start);
        let end = floor(self.text, span.end).max(start);
        let first_line = self.text[start..end].lines().next().map_or(0, |line| line.trim_end().len());
        start..start + first_line
    }
}

/// Whether text carries the terminal's colour codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escape codes.
    Always,
}

/// For people: each diagnostic with the lines it is about, in the order given, as compilers print them. `width` is the
/// terminal's in columns; longer lines are cut around the place.
#[must_use]
pub fn text(source: Source<'_>, diagnostics: &[Diagnostic], colour: Colour, width: usize) -> String {
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    }
    .term_width(width);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&[group(source, diagnostic)]));
        out.push_str("\n\n");
    }
    out
}

/// One diagnostic in the words of the drawing crate.
fn group<'a>(source: Source<'a>, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let primary = AnnotationKind::Primary.span(source.underlined(diagnostic.span));
    let primary = if diagnostic.label.is_empty() { primary } else { primary.label(&*diagnostic.label) };
    let others = diagnostic
        .others
        .iter()
        .map(|(span, text)| AnnotationKind::Context.span(source.underlined(*span)).label(&**text));
    let snippet = Snippet::source(source.text).path(source.path).annotation(primary).annotations(others);
    let group = level.primary_title(one_line(&diagnostic.message)).id(diagnostic.code.name()).element(snippet);
    match &diagnostic.help {
        // Quoted names come from the file; without this a crafted one could colour or clear the reader's terminal.
        Some(help) => help.lines().fold(group, |g, line| g.element(Level::HELP.message(one_line(line)))),
        None => group,
    }
}

/// For editors and `grep`: `path:line:column: error[code]: message`, one line each, in the order given.
#[must_use]
pub fn lines(source: Source<'_>, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let Position { line, column } = source.position(diagnostic.span.start);
        let Diagnostic { severity, code, message, .. } = diagnostic;
        let _ = write!(out, "{}:{line}:{column}: {severity}[{code}]: {}", source.path, one_line(message));
        if let Some(first) = diagnostic.help.as_deref().and_then(|help| help.lines().next()) {
            let _ = write!(out, " ({})", one_line(first));
        }
        out.push('\n');
    }
    out
}

/// For programs: a JSON array, one object each with `code`, `severity`, `message`, `place`, `label`, `others` and `help`.
/// A place has `path`, `start` and `end` (line and column from 1, `end` exclusive) and `bytes` (the offsets).
#[must_use]
pub fn json(source: Source<'_>, diagnostics: &[Diagnostic]) -> serde_json::Value {
    diagnostics.iter().map(|diagnostic| serde_json::json!(Object::of(source, diagnostic))).collect()
}

/// A diagnostic's fields in the order in which JSON shows them.
#[derive(Serialize)]
struct Object<'a> {
    code: &'static str,
    severity: String,
    message: &'a str,
    place: Place<'a>,
    label: &'a str,
    others: Vec<Other<'a>>,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct Place<'a> {
    path: &'a str,
    start: Position,
    end: Position,
    bytes: [usize; 2],
}

#[derive(Serialize)]
struct Other<'a> {
    place: Place<'a>,
    label: &'a str,
}

impl<'a> Object<'a> {
    fn of(source: Source<'a>, diagnostic: &'a Diagnostic) -> Self {
        let place = |span: Span| Place {
            path: source.path,
            start: source.position(span.start),
            end: source.position(span.end),
            bytes: [span.start, span.end],
        };
        Self {
            code: diagnostic.code.name(),
            severity: diagnostic.severity.to_string(),
            message: &diagnostic.message,
            place: place(diagnostic.span),
            label: &diagnostic.label,
            others: diagnostic.others.iter().map(|(span, label)| Other { place: place(*span), label }).collect(),
            help: diagnostic.help.as_deref(),
        }
    }
}

/// The last line after a list of diagnostics: `2 errors, 1 warning`; empty when there are none.
#[must_use]
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    let counted = |n: usize, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{n} {word}s")),
    };
    let parts = [counted(errors, "error"), counted(diagnostics.len() - errors, "warning")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `text` on one line with every control character made visible.
fn one_line(text: &str) -> String {
    normalize_untrusted_str(text).replace(['\n', '\r'], " ")
}

/// The largest character boundary at or below `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Code;
    use super::*;

    const TEXT: &str = "Scenario(\n    nodes: { \"london\": Server(at: \"London\") },\n\n\n\n    faults: [Crash(node: \"lodon\")],\n)\n";

    fn misspelt() -> Diagnostic {
        let at = |word: &str| Span::new(TEXT.find(word).unwrap(), TEXT.find(word).unwrap() + word.len());
        Diagnostic::error(Code::UnknownNode, at("\"lodon\""), "no node is called `lodon`")
            .also(at("\"london\""), "a node with a similar name is declared here")
            .help("did you mean `london`?")
    }

    #[test]
    fn people_see_both_places_and_the_advice() {
        let shown = text(Source { path: "a.ron", text: TEXT }, &[misspelt()], Colour::Never, 100);
        let expected = "\
error[unknown-node]: no node is called `lodon`
 --> a.ron:6:26
  |
2 |     nodes: { \"london\": Server(at: \"London\") },
  |              -------- a node with a similar name is declared here
...
6 |     faults: [Crash(node: \"lodon\")],
  |                          ^^^^^^^
  |
  = help: did you mean `london`?

";
        assert_eq!(shown, expected);
    }

    #[test]
    fn colour_changes_no_letter() {
        let source = Source { path: "a.ron", text: TEXT };
        let coloured = text(source, &[misspelt()], Colour::Always, 100);
        assert!(coloured.contains("\u{1b}["));
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert_eq!(plain, text(source, &[misspelt()], Colour::Never, 100));
    }

    #[test]
    fn editors_get_one_line_and_programs_get_the_same_place() {
        let source = Source { path: "a.ron", text: TEXT };
        let all = [misspelt()];
        assert_eq!(
            lines(source, &all),
            "a.ron:6:26: error[unknown-node]: no node is called `lodon` (did you mean `london`?)\n"
        );
        let value = json(source, &all);
        assert_eq!(value[0]["code"], "unknown-node");
        assert_eq!(value[0]["place"]["start"], serde_json::json!({"line": 6, "column": 26}));
        assert_eq!(value[0]["others"][0]["place"]["start"]["line"], 2);
    }

    #[test]
    fn columns_count_characters_and_offsets_may_lie_anywhere() {
        let source = Source { path: "a.ron", text: "é\nüb" };
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(1), Position { line: 1, column: 1 }, "inside a character: its beginning");
        assert_eq!(source.position(5), Position { line: 2, column: 2 });
        assert_eq!(source.position(999), Position { line: 2, column: 3 }, "past the end: the end");
        for start in 0..8 {
            for end in 0..8 {
                let strange =
                    Diagnostic::error(Code::Syntax, Span::new(start, end), "x").also(Span::new(end, start), "y");
                assert!(text(source, &[strange], Colour::Never, 80).starts_with("error[syntax]: x"));
            }
        }
    }

    #[test]
    fn a_name_from_the_file_cannot_drive_the_terminal() {
        let nasty = Diagnostic::error(Code::BadName, Span::new(0, 1), "no \u{1b}[2Jnode\nx").help("say \u{1b}[0m");
        let source = Source { path: "a.ron", text: TEXT };
        assert!(!text(source, std::slice::from_ref(&nasty), Colour::Never, 80).contains('\u{1b}'));
        assert!(!lines(source, &[nasty]).contains('\u{1b}'));
    }

    #[test]
    fn the_summary_counts() {
        let (error, warning) = (misspelt(), Diagnostic::warning(Code::Unused, Span::new(0, 1), "x"));
        assert_eq!(summary(&[]), "");
        assert_eq!(summary(std::slice::from_ref(&warning)), "1 warning");
        assert_eq!(summary(&[error.clone(), error, warning]), "2 errors, 1 warning");
    }
}
