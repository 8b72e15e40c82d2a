//! The same wait before every retry.

use crate::base::Span;

pub(super) const fn wait(wait: Span) -> Span {
    wait
}
