//! Forms: which fields a thing of the language has, and a reader that reports every field that is not one of them.

use super::Problems;
use crate::scenario::ast::{Kind, Span, Value, Word};
use crate::scenario::diagnostic::{Code, Diagnostic};
pub(super) use crate::scenario::suggest::closest as similar;

/// A thing of the language: its name and its fields. The reference in `scenarios/README.md` has a section for each.
#[derive(Debug)]
pub struct Form {
    /// Its name as a scenario writes it, or what it is for things without one (`link`).
    pub name: &'static str,
    /// Names of its fields.
    pub fields: &'static [&'static str],
}

/// Lists of fields as one: forms that have fields in common share them.
///
/// # Panics
/// If `N` is not the sum of their lengths; as a constant, that does not compile.
pub(super) const fn joined<const N: usize>(lists: &[&[&'static str]]) -> [&'static str; N] {
    let mut all = [""; N];
    let (mut list, mut at) = (0, 0);
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            all[at] = lists[list][index];
            index += 1;
            at += 1;
        }
        list += 1;
    }
    assert!(at == N, "the lists have another length");
    all
}

/// The fields that one value gives to a form.
pub(super) struct Fields<'a> {
    form: &'static Form,
    /// The value that holds them.
    pub(super) span: Span,
    /// Where its name or, without one, its bracket stands: a point to complain about what is missing.
    head: Span,
    given: Vec<Given<'a>>,
}

/// A field that is there.
struct Given<'a> {
    field: &'static str,
    /// Where its name stands.
    span: Span,
    value: &'a Value,
}

impl<'a> Fields<'a> {
    /// The fields of `value`; a bare name and `()` have none. Unknown fields and repetitions are reported. A misspelt field that
    /// cannot mean another one is read as the one it means: what it holds is checked too, and nothing is missed for want of it.
    pub(super) fn open(form: &'static Form, value: &'a Value, problems: &mut Problems) -> Option<Self> {
        let fields = match &value.kind {
            Kind::Struct { fields, .. } => fields.as_slice(),
            Kind::Tuple { items, .. } if items.is_empty() => &[],
            Kind::Name(_) => &[],
            _ => {
                let sample = form.fields.first().map_or(String::new(), |field| format!("{field}: .."));
                let name = if form.name.starts_with(char::is_uppercase) { form.name } else { "" };
                problems.add(
                    Diagnostic::error(
                        Code::WrongShape,
                        value.span,
                        format!("{} needs its fields by name", article(form.name)),
                    )
                    .label(format!("found {}", value.describe()))
                    .help(format!("write `{name}({sample})`; its fields are {}", list(form.fields))),
                );
                return None;
            }
        };
        let mut given: Vec<Given<'_>> = Vec::new();
        let mut misspelt: Vec<Given<'_>> = Vec::new();
        for field in fields {
            let (name, value) = (&field.name, &field.value);
            if let Some(known) = form.fields.iter().find(|known| **known == name.text) {
                if let Some(first) = given.iter().find(|other| other.field == *known) {
                    problems.add(
                        Diagnostic::error(Code::DuplicateField, name.span, format!("`{known}` is given twice"))
                            .also(first.span, "first here"),
                    );
                } else {
                    given.push(Given { field: known, span: name.span, value });
                }
                continue;
            }
            problems.add(unknown_field(form, name));
            if let Some(meant) = similar(&name.text, form.fields.iter().copied()) {
                misspelt.push(Given { field: meant, span: name.span, value });
            }
        }
        for field in misspelt {
            if given.iter().all(|other| other.field != field.field) {
                given.push(field);
            }
        }
        // `None` is what a field is that is not there, also to those who ask whether it is.
        given.retain(|field| !field.value.is_none());
        let end = value.span.end;
        let head = match value.variant_span() {
            span if span == value.span => Span::new(end.saturating_sub(1).max(value.span.start), end),
            span => span,
        };
        Some(Self { form, span: value.span, head, given })
    }

    /// The value of a field, unless it is absent or `None`.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        debug_assert!(self.form.fields.contains(&name), "{}.{name} is not in its form", self.form.name);
        self.given.iter().find(|given| given.field == name).map(|given| given.value)
    }

    /// The value of a field that some forms with the same reader have and others have not.
    pub(super) fn get_if(&self, name: &str) -> Option<&'a Value> {
        if self.form.fields.contains(&name) { self.get(name) } else { None }
    }

    /// Whether the form has such a field, given or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.form.fields.contains(&name)
    }

    /// The value of a field that has no default; its absence is reported with what could be written.
    pub(super) fn need(&self, name: &str, example: &str, problems: &mut Problems) -> Option<&'a Value> {
        let value = self.get(name);
        if value.is_none() {
            let what = article(self.form.name);
            problems.add(
                Diagnostic::error(Code::MissingField, self.head, format!("{what} needs `{name}`"))
                    .label(format!("`{name}` is missing"))
                    .help(format!("add `{name}: {example}`")),
            );
        }
        value
    }

    /// Warns that a field that is given has no effect, and says why.
    pub(super) fn no_effect(&self, name: &str, why: &str, problems: &mut Problems) {
        if let Some(given) = self.given.iter().find(|given| given.field == name) {
            // One reason is enough.
            if problems.0.iter().any(|other| other.code == Code::NoEffect && other.span == given.span) {
                return;
            }
            problems.add(
                Diagnostic::warning(Code::NoEffect, given.span, format!("`{name}` has no effect: {why}"))
                    .help(format!("leave `{name}` out")),
            );
        }
    }

    /// Reports fields that exclude each other; false if more than one of them is given.
    pub(super) fn at_most_one(&self, names: &[&str], why: &str, problems: &mut Problems) -> bool {
        let mut given = self.given.iter().filter(|given| names.contains(&given.field));
        let (Some(first), Some(second)) = (given.next(), given.next()) else { return true };
        problems.add(
            Diagnostic::error(
                Code::Contradiction,
                second.span,
                format!("`{}` and `{}` cannot both be given: {why}", first.field, second.field),
            )
            .also(first.span, "the other one")
            .help("keep one of them"),
        );
        false
    }
}

fn unknown_field(form: &Form, name: &Word) -> Diagnostic {
    let message = format!("{} has no field `{}`", article(form.name), name.text);
    let diagnostic = Diagnostic::error(Code::UnknownField, name.span, message);
    let fields = if form.fields.is_empty() {
        "it has no fields".to_owned()
    } else {
        format!("its fields are {}", list(form.fields))
    };
    match similar(&name.text, form.fields.iter().copied()) {
        Some(other) => diagnostic.label(format!("did you mean `{other}`?")).help(fields),
        None => diagnostic.help(fields),
    }
}

/// `a Server`, `an Http`, `a link`.
pub(super) fn article(name: &str) -> String {
    let an = name.starts_with(['A', 'E', 'I', 'O', 'a', 'e', 'i', 'o']) || name.starts_with("Http");
    let ticks = if name.starts_with(char::is_uppercase) { "`" } else { "" };
    format!("{} {ticks}{name}{ticks}", if an { "an" } else { "a" })
}

/// Names in backquotes, separated by commas.
pub(super) fn list<'n>(names: impl IntoIterator<Item = &'n (impl AsRef<str> + 'n + ?Sized)>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    quoted.join(", ")
}
