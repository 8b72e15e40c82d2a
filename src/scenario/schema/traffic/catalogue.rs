//! Catalogues: how many objects there are below a path, and how popular each is.

use crate::scenario::ast::Value;
use crate::scenario::schema::form::{Fields, Form};
use crate::scenario::schema::{Problems, dist, value};
use crate::service::client::{Catalogue, Popularity};

pub(in crate::scenario::schema) static CATALOGUE: Form = Form { name: "catalogue", fields: &["count", "popularity"] };

pub(super) fn read(value: &Value, problems: &mut Problems) -> Option<Catalogue> {
    let fields = Fields::open(&CATALOGUE, value, problems)?;
    let count = fields.need("count", "1000", problems);
    let count = count.and_then(|value| value::whole(value, "`count` (objects)", 1..=10_000_000, problems));
    let popularity = fields.get("popularity").map_or(Some(Popularity::Zipf(0.0)), |value| popularity(value, problems));
    Some(Catalogue { count: u32::try_from(count?).ok()?, popularity: popularity? })
}

fn popularity(value: &Value, problems: &mut Problems) -> Option<Popularity> {
    match value::choice(value, "`popularity`", &["Uniform", "Zipf", "Scan"], problems)? {
        "Uniform" => value::bare(value, problems).map(|()| Popularity::Zipf(0.0)),
        "Scan" => value::bare(value, problems).map(|()| Popularity::Scan),
        _ => match dist::only(value) {
            Some(exponent) => {
                value::real(exponent, "the exponent of Zipf's law", 0.01..=10.0, problems).map(Popularity::Zipf)
            }
            None => value::wrong(value, "`popularity` is `Uniform`, `Zipf(0.9)` or `Scan`", problems),
        },
    }
}
