//! A scenario file as written: every value and every name with the bytes it came from.
//!
//! The reader makes this tree from text; the schema turns it into a [`Plan`](super::plan::Plan). Names, order and duplicates are as in
//! the file, so a diagnostic can point at any of them.

/// A range of bytes of the scenario text: `start` inclusive, `end` exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to, not including, `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The same bytes as a standard range, for slicing the source.
    #[must_use]
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start..self.end
    }
}

/// A name in the text: a struct's or a field's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The name itself.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// One field of a struct: `name: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name before the colon.
    pub name: Word,
    /// What follows it.
    pub value: Value,
}

/// A value and the bytes it was written in, from its first to its last.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Where it stands: for a struct from its name (or opening bracket) to its closing bracket, for a text with its quotes.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// The shapes of RON values. `Some(x)` is read as `x`; `None` is the [`Name`](Kind::Name) `None`.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `Name(field: value, ..)` or `(field: value, ..)`.
    Struct {
        /// The name before the bracket, where there is one.
        name: Option<Word>,
        /// The fields in the order of the file, duplicates included.
        fields: Vec<Field>,
    },
    /// `Name(value, ..)`, `(value, ..)` or `()`.
    Tuple {
        /// The name before the bracket, where there is one.
        name: Option<Word>,
        /// The items in order.
        items: Vec<Value>,
    },
    /// `[value, ..]`.
    List(Vec<Value>),
    /// `{ key: value, .. }`, in the order of the file, duplicates included.
    Map(Vec<(Value, Value)>),
    /// `"text"`, with escapes resolved.
    Text(String),
    /// A number as written: `12`, `1_000`, `-0.5`, `0x10`.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// A bare identifier: a variant without fields.
    Name(String),
}

impl Value {
    /// Whether it stands for the absence of one: `None`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(&self.kind, Kind::Name(name) if name == "None")
    }

    /// What the value is, in words that fit after "found": `a text`, `a list`..
    #[must_use]
    pub const fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Struct { .. } => "fields in brackets",
            Kind::Tuple { .. } => "values in brackets",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Text(_) => "a text",
            Kind::Number(_) => "a number",
            Kind::Bool(_) => "true or false",
            Kind::Name(_) => "a bare name",
        }
    }

    /// The name before the bracket, or the bare name: the variant this value chooses.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        match &self.kind {
            Kind::Struct { name, .. } | Kind::Tuple { name, .. } => name.as_ref().map(|word| word.text.as_str()),
            Kind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Where the variant's name stands; the whole value when it has none.
    #[must_use]
    pub fn variant_span(&self) -> Span {
        match &self.kind {
            Kind::Struct { name: Some(word), .. } | Kind::Tuple { name: Some(word), .. } => word.span,
            _ => self.span,
        }
    }
}
