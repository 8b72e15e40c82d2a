//! When a fault strikes: once, at an interval, or by chance.

use super::super::form::Fields;
use super::super::{Problems, value};
use crate::base::{Span as Duration, Time};
use crate::fault::Schedule;
use crate::scenario::diagnostic::{Code, Diagnostic};

/// Reads the timetable of a fault.
pub(super) fn read(fields: &Fields<'_>, problems: &mut Problems) -> Option<Schedule> {
    let chance = fields.get("mtbf").is_some() || fields.get("mttr").is_some();
    let interval = fields.get("every").is_some();
    let span = |name: &str, problems: &mut Problems| {
        let value = fields.get(name)?;
        Some(value::positive_span(value, &format!("`{name}`"), problems))
    };
    let instant = |name: &str, problems: &mut Problems| {
        let value = fields.get(name)?;
        Some(value::span(value, &format!("`{name}`"), problems).map(|span| Time::ZERO + span))
    };
    let at = instant("at", problems);
    let until = instant("until", problems);
    if let (Some(Some(at)), Some(Some(until))) = (at, until)
        && until <= at
    {
        let message = "it is over before it strikes: `until` is not after `at`";
        problems.add(Diagnostic::error(Code::Contradiction, fields.span, message).help("both count from the start"));
        return None;
    }
    if chance {
        let why = "chance decides when it strikes and for how long";
        let alone = ["every", "for"].iter().all(|other| fields.at_most_one(&["mtbf", other], why, problems));
        fields.need("mtbf", "\"60s\"", problems);
        fields.need("mttr", "\"5s\"", problems);
        let (mtbf, mttr) = (span("mtbf", problems), span("mttr", problems));
        let (mtbf, mttr) = (mtbf??, mttr??);
        return alone.then_some(Schedule::Random {
            from: at.unwrap_or(Some(Time::ZERO))?,
            mtbf,
            mttr,
            until: until.map_or(Some(None), |until| until.map(Some))?,
        });
    }
    fields.need("at", "\"10s\"", problems);
    if interval {
        fields.need("for", "\"2s\"", problems);
        let (every, lasts) = (span("every", problems)??, span("for", problems)??);
        if lasts >= every {
            problems.add(
                Diagnostic::error(
                    Code::Contradiction,
                    fields.span,
                    format!("it strikes again every {every} while it still lasts for {lasts}"),
                )
                .help("`for` is shorter than `every`; without `every` a fault strikes once"),
            );
            return None;
        }
        let until = until.map_or(Some(None), |until| until.map(Some))?;
        return Some(Schedule::Every { at: at??, every, lasts, until });
    }
    if !fields.at_most_one(&["for", "until"], "each says when it is over", problems) {
        return None;
    }
    let lasts: Option<Option<Duration>> = span("for", problems).map_or(Some(None), |lasts| lasts.map(Some));
    let (at, lasts) = (at??, lasts?);
    let until = until.map_or(Some(None), |until| until.map(Some))?;
    Some(Schedule::Once { at, lasts: lasts.or_else(|| until.map(|until| until.since(at))) })
}
