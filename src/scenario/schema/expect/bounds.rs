//! Bounds that a measure must keep, and those that it cannot break.

use crate::base::{BitRate, Ratio, Span};
use crate::scenario::ast::Value;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Bounds, Quantity};
use crate::scenario::schema::Problems;
use crate::scenario::schema::form::Fields;

/// What is measured on a scale that may have ends.
pub(super) trait Scale: PartialOrd + Copy {
    /// Whether nothing is less.
    fn is_least(self) -> bool {
        false
    }

    /// Whether nothing is more.
    fn is_most(self) -> bool {
        false
    }
}

impl Scale for Span {
    fn is_least(self) -> bool {
        self.is_zero()
    }
}

impl Scale for Ratio {
    fn is_least(self) -> bool {
        self.is_zero()
    }

    fn is_most(self) -> bool {
        self >= Self::ONE
    }
}

impl Scale for u64 {
    fn is_least(self) -> bool {
        self == 0
    }
}

impl Scale for f64 {
    fn is_least(self) -> bool {
        self <= 0.0
    }
}

impl Scale for BitRate {}

impl Scale for Quantity {
    fn is_least(self) -> bool {
        match self {
            Self::Count(count) => count.is_least(),
            Self::Share(share) => share.is_least(),
        }
    }

    fn is_most(self) -> bool {
        matches!(self, Self::Share(share) if share.is_most())
    }
}

/// The bounds of a measure, of which at least one must be given.
pub(super) fn bounds<T: Scale>(
    fields: &Fields<'_>,
    example: &str,
    read: impl Fn(&Value, &str, &mut Problems) -> Option<T>,
    problems: &mut Problems,
) -> Option<Bounds<T>> {
    let (least, most) = (fields.get("at_least"), fields.get("at_most"));
    if least.is_none() && most.is_none() {
        problems.add(
            Diagnostic::error(Code::MissingField, fields.span, "this expects nothing: there is no bound")
                .help(format!("add `at_most: {example}` or `at_least: {example}`")),
        );
        return None;
    }
    let at_least = least.map(|value| read(value, "`at_least`", problems));
    let at_most = most.map(|value| read(value, "`at_most`", problems));
    let bounds = Bounds {
        at_least: at_least.map_or(Some(None), |v| v.map(Some))?,
        at_most: at_most.map_or(Some(None), |v| v.map(Some))?,
    };
    if let (Some(least), Some(most)) = (bounds.at_least, bounds.at_most)
        && least > most
    {
        problems.add(
            Diagnostic::error(
                Code::Contradiction,
                fields.span,
                "nothing is at least this much and at most this little",
            )
            .help("exchange `at_least` and `at_most`"),
        );
        return None;
    }
    if bounds.at_least.is_some_and(Scale::is_least) {
        fields.no_effect("at_least", "nothing is ever less", problems);
    }
    if bounds.at_most.is_some_and(Scale::is_most) {
        fields.no_effect("at_most", "nothing is ever more", problems);
    }
    Some(bounds)
}
