//! Words with weight: bold and colour where the reader's terminal shows them, the same words where it does not.

/// Whether to mark text with terminal escapes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Only the words.
    Plain,
    /// With ANSI escapes (ECMA-48 8.3.117).
    Ansi,
}

impl Style {
    fn mark(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    /// What the eye should find first.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.mark("1", text)
    }

    /// What can be skipped.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.mark("2", text)
    }

    /// As it should be.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.mark("1;32", text)
    }

    /// Not as it should be.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.mark("1;31", text)
    }

    /// To be looked at.
    #[must_use]
    pub fn warn(self, text: &str) -> String {
        self.mark("1;33", text)
    }

    /// Bars.
    #[must_use]
    pub fn bar(self, text: &str) -> String {
        self.mark("36", text)
    }
}
