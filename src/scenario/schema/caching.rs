//! What answers say to caches: `cache_control` and `vary` of a server's routes.

use super::{Problems, inner, value};
use crate::scenario::ast::Value;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::schema::form::{list, similar};
use crate::service::cdn::control::{CacheControl, TABLE, Why};

/// The text of a `Cache-Control` field, all of whose directives have a meaning.
pub(super) fn cache_control(value: &Value, problems: &mut Problems) -> Option<String> {
    let text = value::text(value, "`cache_control`", problems)?;
    let Err(bad) = CacheControl::strict(text) else { return Some(text.to_owned()) };
    let name = bad.text.split('=').next().unwrap_or_default().trim();
    let known = || TABLE.iter().map(|(name, _)| *name);
    let help = match (bad.why, similar(name, known())) {
        (Why::NoSeconds, _) => format!("write `{name}=60` for a minute"),
        (Why::Value, _) => format!("write `{name}` alone"),
        (Why::Twice, _) => "keep one of them".to_owned(),
        (Why::Unknown, Some(near)) => format!("did you mean `{near}`?"),
        (Why::Unknown, None) => format!("directives are separated by commas; there are {}", list(known())),
    };
    problems.add(
        Diagnostic::error(Code::BadDirective, inner(value), format!("`{}` cannot be read: {}", bad.text, bad.why))
            .help(help),
    );
    None
}

/// Names of header fields, one or a list.
pub(super) fn vary(value: &Value, problems: &mut Problems) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for value in value::each(value) {
        let Some(name) = value::text(value, "the name of a header field", problems) else { continue };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            problems.add(
                Diagnostic::error(Code::BadName, inner(value), format!("`{name}` cannot be a header field"))
                    .help("write its name, such as \"Accept-Language\""),
            );
        } else {
            names.push(name.to_owned());
        }
    }
    names
}
