//! What can be wrong with a scenario, as data: a code, a sentence, the place, related places and what to do.
//!
//! Nothing here knows how a diagnostic looks; [`render`](super::render) turns the same value into text, one line or JSON.

use super::ast::Span;
use std::fmt;

/// Whether a scenario can run in spite of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The scenario has no meaning as written: it does not run.
    Error,
    /// It runs, and the result may not mean what its author believes.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong, or doubtful, at one place in a scenario's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of fault, for filters and for looking it up.
    pub code: Code,
    /// Whether the scenario can still run.
    pub severity: Severity,
    /// The fault in one sentence without a full stop; names in backquotes.
    pub message: String,
    /// Where it is: bytes of the scenario's text.
    pub span: Span,
    /// Few words printed beside the place; may be empty.
    pub label: String,
    /// Other places that matter, each with a few words.
    pub others: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A fault at `span` that keeps the scenario from running.
    #[must_use]
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message.into())
    }

    /// A doubt about what is written at `span`.
    #[must_use]
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, message.into())
    }

    fn new(code: Code, severity: Severity, span: Span, message: String) -> Self {
        Self { code, severity, message, span, label: String::new(), others: Vec::new(), help: None }
    }

    /// The same with a few words beside the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// The same with one more place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.others.push((span, text.into()));
        self
    }

    /// The same with advice. A second piece of advice goes on the next line.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.help = Some(match self.help {
            Some(first) => format!("{first}\n{text}"),
            None => text,
        });
        self
    }

    /// The same with advice where there is some.
    #[must_use]
    pub fn maybe_help(self, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }

    /// Whether it keeps the scenario from running.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }
}

/// Puts diagnostics in the order of the file, errors first at one place, and drops exact repetitions.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|d| (d.span, d.severity, d.code));
    diagnostics.dedup();
}

/// Declares every code once: the variant, its name in the terminal and its explanation, which is also its documentation.
macro_rules! codes {
    ($($variant:ident $name:literal $explanation:literal)*) => {
        /// The kinds of faults and doubts; the name of each is stable, for filters and scripts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $explanation] $variant,)*
        }

        impl Code {
            /// Every code, in the order of `lightlag list diagnostics`: reading, values, names, then meaning.
            pub const TABLE: &'static [Self] = &[$(Self::$variant),*];

            /// The name in kebab case, as in `error[unknown-node]`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, in one line.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)* }
            }
        }
    };
}

codes! {
    NotRon "not-ron" "The file is empty, binary or in another format; a scenario is RON text: `Scenario(name: \"..\", ..)`."
    Syntax "syntax" "Something stands where RON does not allow it: a comma, colon, value or name is missing or superfluous."
    Unclosed "unclosed" "A bracket, text or comment is opened and never closed, or closed by the wrong kind of bracket."
    BadEscape "bad-escape" "A backslash in a text is followed by something that is not an escape."
    BadNumber "bad-number" "A number is written in a way that RON does not know."
    TooDeep "too-deep" "Brackets are nested more deeply than any scenario needs."

    UnknownField "unknown-field" "A field is not one that this thing has."
    MissingField "missing-field" "A field that has no default is not given."
    DuplicateField "duplicate-field" "A field is given twice; only one of them could count."
    WrongShape "wrong-shape" "A value has the wrong kind: a list where a text is needed, a text where a number is needed."
    UnknownVariant "unknown-variant" "A name is not one of the choices that exist here."
    MissingUnit "missing-unit" "A bare number stands where a quantity is needed; quantities are quoted with their unit: \"56ms\"."
    UnknownUnit "unknown-unit" "A quantity has a unit that is not one for this kind of quantity."
    BadQuantity "bad-quantity" "A quantity cannot be read, or has more digits than its smallest unit can hold."
    BadDirective "bad-directive" "A directive of `Cache-Control` is none that responses have, or its value cannot be read."
    OutOfRange "out-of-range" "A value is outside the range in which it means something."
    Empty "empty" "Something that needs at least one entry has none."

    DuplicateName "duplicate-name" "Two things have the same name; references to it would be ambiguous."
    BadName "bad-name" "A name contains a character that references to it could not hold."
    UnknownNode "unknown-node" "A reference names a node that is not declared."
    MemberOrPath "member-or-path" "A URL's path begins with a number that a member of the group has: `http://shop/2` asks all members, `http://[shop/2]/` one."
    UnknownMember "unknown-member" "A reference names a member that its group does not have: members count from 1."
    UnknownPlace "unknown-place" "A place is neither a known city nor a pair of coordinates."
    UnknownLink "unknown-link" "A reference names a link that is not declared."
    UnknownTraffic "unknown-traffic" "A reference names traffic that is not declared."
    UnknownFault "unknown-fault" "A reference names a fault that is not declared."
    UnknownPool "unknown-pool" "A reference names a pool that its balancer does not have."
    UnknownHost "unknown-host" "A domain name is in no zone, so nobody could resolve it."
    WrongRole "wrong-role" "A reference names a node whose role cannot do what is asked of it."

    Unreachable "unreachable" "No path of links leads from one end to the other."
    MissingDelay "missing-delay" "A link has no delay and no distance between places to compute one from."
    Contradiction "contradiction" "Two fields say things that cannot both hold."
    Unsupported "unsupported" "The scenario asks for something that this version does not simulate."

    NoEffect "no-effect" "A field or an entry changes nothing together with the others."
    FasterThanLight "faster-than-light" "A delay is shorter than light in fibre needs for the distance between the two places."
    Overload "overload" "Traffic offers a link or a server more than it can carry: queues grow as long as the run lasts."
    TooFewSamples "too-few-samples" "The run is expected to produce too few requests for the percentile that is asked."
    NeverStarts "never-starts" "Traffic starts, or measuring begins, at or after the end of the run."
    RunTooShort "run-too-short" "The run ends before something in it is over, such as a crashed server coming back."
    Unused "unused" "A node, zone or place is declared and nothing refers to it."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_kebab_case_name_of_its_own_and_one_line_of_explanation() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::TABLE {
            let name = code.name();
            assert!(seen.insert(name), "{name} twice");
            assert!(name.split('-').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase())), "{name}");
            let text = code.explanation();
            assert!(text.ends_with('.') && !text.contains('\n') && text.len() < 140, "{text}");
        }
    }

    #[test]
    fn diagnostics_come_in_the_order_of_the_file_and_once() {
        let late = Diagnostic::error(Code::Syntax, Span::new(9, 10), "late");
        let early = Diagnostic::warning(Code::Unused, Span::new(2, 5), "early");
        let mut all = vec![late.clone(), early.clone(), late.clone()];
        sort(&mut all);
        assert_eq!(all, [early, late]);
    }
}
