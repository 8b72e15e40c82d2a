//! What an asker does about servers that fail or are slow: tries, waits, budgets, hedges, breakers, bulkheads.

use crate::base::{Ratio, Span as Duration};
use crate::scenario::ast::{Kind, Value};
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::schema::form::{Fields, Form, list, similar};
use crate::scenario::schema::{Problems, dist, value};
use crate::service::client::backoff::{Backoff, Growth};
use crate::service::client::breaker::{self, Window};
use crate::service::client::jitter::{self, Jitter};
use crate::service::client::{After, Hedge, Outcomes, Policy, Retry, budget, bulkhead};
use crate::trace::Failure;

pub(in crate::scenario::schema) static RETRY: Form =
    Form { name: "retry", fields: &["attempts", "backoff", "on", "budget"] };
static LINEAR: Form = Form { name: "Linear", fields: &["first", "max", "jitter"] };
static GROWING: Form = Form { name: "Exponential backoff", fields: &["first", "max", "factor", "jitter"] };
static FIXED: Form = Form { name: "Fixed", fields: &["wait", "jitter"] };
static BUDGET: Form = Form { name: "budget", fields: &["share", "floor", "burst"] };
static HEDGE: Form = Form { name: "hedge", fields: &["after", "most", "budget"] };
static BREAKER: Form = Form { name: "breaker", fields: &["window", "failures", "minimum", "open_for", "probes"] };
static BULKHEAD: Form = Form { name: "bulkhead", fields: &["max", "queue"] };

pub(in crate::scenario::schema) const FORMS: &[&Form] =
    &[&RETRY, &FIXED, &LINEAR, &GROWING, &BUDGET, &HEDGE, &BREAKER, &BULKHEAD];

/// The policy that the fields of an asker describe. `timeout` is that of a whole request.
pub(super) fn read(fields: &Fields<'_>, timeout: Option<Duration>, problems: &mut Problems) -> Option<Policy> {
    let before = problems.0.len();
    let policy = Policy {
        try_timeout: fields.get("try_timeout").and_then(|value| value::positive_span(value, "`try_timeout`", problems)),
        retry: fields.get("retry").and_then(|value| retry(value, problems)),
        hedge: fields.get("hedge").and_then(|value| hedge(value, problems)),
        breaker: fields.get("breaker").and_then(|value| breaker(value, problems)),
        bulkhead: fields.get("bulkhead").and_then(|value| bulkhead(value, problems)),
    };
    if problems.0[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    if let (Some(one), Some(all)) = (policy.try_timeout, timeout)
        && one >= all
    {
        let why = format!("a request is given up after {all} anyway (`timeout`)");
        fields.no_effect("try_timeout", &why, problems);
    }
    if let (Some(retry), Some(all)) = (&policy.retry, timeout)
        && retry.backoff.jitter == Jitter::None
        && first_wait(&retry.backoff) >= all
    {
        let why = format!("a request is given up after {all}, before the first wait is over (`backoff`)");
        fields.no_effect("retry", &why, problems);
    }
    if let (Some(Hedge { after: After::Time(after), .. }), Some(limit)) = (policy.hedge, policy.try_timeout.or(timeout))
        && after >= limit
    {
        fields.no_effect("hedge", &format!("a try has failed after {limit}, before another one would begin"), problems);
    }
    Some(policy)
}

const fn first_wait(backoff: &Backoff) -> Duration {
    match backoff.growth {
        Growth::Fixed(first) | Growth::Linear { first, .. } | Growth::Exponential { first, .. } => first,
    }
}

fn small(value: &Value, what: &str, low: u64, high: u64, problems: &mut Problems) -> Option<u32> {
    value::whole(value, what, low..=high, problems).and_then(|n| u32::try_from(n).ok())
}

fn retry(value: &Value, problems: &mut Problems) -> Option<Retry> {
    let fields = Fields::open(&RETRY, value, problems)?;
    let attempts = fields.need("attempts", "3", problems);
    let attempts = attempts.and_then(|value| small(value, "`attempts` (tries in all)", 2, 1_000_000, problems));
    let backoff = fields.get("backoff").map_or(Some(Backoff::NONE), |value| backoff(value, problems));
    let on = fields.get("on").map_or(Some(Outcomes::transient()), |value| outcomes(value, problems));
    let budget = fields.get("budget").map(|value| budget(value, problems));
    Some(Retry { attempts: attempts?, backoff: backoff?, on: on?, budget: budget.map_or(Some(None), |b| b.map(Some))? })
}

/// `None`, `"100ms"`, `Fixed(..)`, `Linear(..)` or `Exponential(..)`.
fn backoff(value: &Value, problems: &mut Problems) -> Option<Backoff> {
    if let Kind::Text(_) | Kind::Number(_) = &value.kind {
        let wait = value::span(value, "`backoff`", problems)?;
        return Some(Backoff { growth: Growth::Fixed(wait), jitter: Jitter::None });
    }
    let names: Vec<&str> = crate::service::client::backoff::TABLE.iter().map(|(name, _)| *name).collect();
    let kind = value::choice(value, "`backoff`", &names, problems)?;
    let form = match kind {
        "Fixed" => &FIXED,
        "Linear" => &LINEAR,
        _ => &GROWING,
    };
    if let (true, Some(wait)) = (kind == "Fixed", dist::only(value)) {
        let wait = value::span(wait, "the wait", problems)?;
        return Some(Backoff { growth: Growth::Fixed(wait), jitter: Jitter::None });
    }
    let fields = Fields::open(form, value, problems)?;
    let span = |name: &str, example: &str, problems: &mut Problems| {
        let value = fields.need(name, example, problems)?;
        value::positive_span(value, &format!("`{name}`"), problems)
    };
    let jitter = fields.get("jitter").map_or(Some(Jitter::None), |value| jitter(value, problems));
    if kind == "Fixed" {
        let wait = span("wait", "\"100ms\"", problems);
        if let (Some(Jitter::Decorrelated), Some(value)) = (jitter, fields.get("jitter")) {
            problems.add(
                Diagnostic::error(Code::Contradiction, value.span, "a fixed wait leaves this jitter no room")
                    .help("`Decorrelated` grows by itself: give it `Exponential(first: .., max: ..)`"),
            );
            return None;
        }
        return Some(Backoff { growth: Growth::Fixed(wait?), jitter: jitter? });
    }
    let (first, max) = (span("first", "\"100ms\"", problems), span("max", "\"2s\"", problems));
    let (first, max) = (first?, max?);
    if first > max {
        problems.add(
            Diagnostic::error(Code::Contradiction, fields.span, "the first wait is longer than the longest")
                .help("exchange `first` and `max`"),
        );
        return None;
    }
    let growth = if kind == "Linear" {
        Growth::Linear { first, max }
    } else {
        let factor =
            fields.get("factor").map_or(Some(2.0), |value| value::real(value, "`factor`", 1.0..=100.0, problems));
        if jitter == Some(Jitter::Decorrelated) {
            fields.no_effect("factor", "decorrelated jitter grows by what was drawn before", problems);
        }
        Growth::Exponential { first, max, factor: factor? }
    };
    Some(Backoff { growth, jitter: jitter? })
}

fn jitter(value: &Value, problems: &mut Problems) -> Option<Jitter> {
    let names: Vec<&str> = jitter::TABLE.iter().map(|(name, ..)| *name).collect();
    let name = value::word(value, "`jitter`", &names, problems)?;
    jitter::TABLE.iter().find(|(known, ..)| *known == name).map(|&(_, jitter, _)| jitter)
}

/// Failures by their names in results, statuses by number, `"5xx"`.
fn outcomes(value: &Value, problems: &mut Problems) -> Option<Outcomes> {
    let Kind::List(items) = &value.kind else {
        return value::wrong(value, "`on` is a list: [\"timeout\", \"reset\", 503]", problems);
    };
    let mut outcomes = Outcomes { failures: Vec::new(), statuses: Vec::new() };
    for item in items {
        match &item.kind {
            Kind::Number(_) => {
                let status = value::whole(item, "a status code that means failure", 400..=599, problems)?;
                let status = u16::try_from(status).ok()?;
                outcomes.statuses.push((status, status));
            }
            Kind::Text(text) if text == "5xx" => outcomes.statuses.push((500, 599)),
            Kind::Text(text) => {
                let known = Outcomes::TRANSPORT;
                let Some(&failure) = known.iter().find(|failure: &&Failure| failure.name() == text) else {
                    let names: Vec<&str> = known.iter().map(|failure| failure.name()).collect();
                    let diagnostic = Diagnostic::error(
                        Code::UnknownVariant,
                        item.span,
                        format!("nothing that is worth another try is called `{text}`"),
                    )
                    .help(format!("it is one of {}, a status code, or `5xx`", list(&names)));
                    problems.add(match similar(text, names.iter().copied()) {
                        Some(other) => diagnostic.label(format!("did you mean `{other}`?")),
                        None => diagnostic,
                    });
                    return None;
                };
                outcomes.failures.push(failure);
            }
            _ => return value::wrong(item, "an outcome is a text or a status code", problems),
        }
    }
    if outcomes.failures.is_empty() && outcomes.statuses.is_empty() {
        problems.add(Diagnostic::error(Code::Empty, value.span, "nothing is tried again").help("leave `retry` out"));
        return None;
    }
    Some(outcomes)
}

/// A share alone, or fields.
fn budget(value: &Value, problems: &mut Problems) -> Option<budget::Config> {
    // As in Finagle: what ten seconds of ten a second would make.
    let mut config = budget::Config { share: Ratio::default(), floor: None, burst: 100 };
    if let Kind::Text(_) | Kind::Number(_) = &value.kind {
        config.share = value::ratio(value, "`budget`", problems)?;
    } else {
        let fields = Fields::open(&BUDGET, value, problems)?;
        let share = fields.need("share", "\"20%\"", problems);
        config.share = share.and_then(|value| value::ratio(value, "`share`", problems))?;
        if let Some(value) = fields.get("floor") {
            config.floor = Some(value::frequency(value, "`floor`", problems)?.gap());
        }
        if let Some(value) = fields.get("burst") {
            config.burst = small(value, "`burst`", 1, 1_000_000, problems)?;
        }
    }
    Some(config)
}

/// A duration, a share of the answers, or fields.
fn hedge(value: &Value, problems: &mut Problems) -> Option<Hedge> {
    if let Kind::Text(_) | Kind::Number(_) = &value.kind {
        return Some(Hedge { after: after(value, problems)?, most: 1, budget: None });
    }
    let fields = Fields::open(&HEDGE, value, problems)?;
    let after = fields.need("after", "\"95%\"", problems).and_then(|value| after(value, problems));
    let most = fields.get("most").map_or(Some(1), |value| small(value, "`most`", 1, 1_000, problems));
    let budget = fields.get("budget").map(|value| budget(value, problems));
    Some(Hedge { after: after?, most: most?, budget: budget.map_or(Some(None), |b| b.map(Some))? })
}

fn after(value: &Value, problems: &mut Problems) -> Option<After> {
    match &value.kind {
        Kind::Text(text) if text.trim_end().ends_with('%') => {
            let share = value::ratio(value, "`after` (a share of the answers)", problems)?;
            if share.is_zero() || share.get() >= 1.0 {
                problems.add(
                    Diagnostic::error(Code::OutOfRange, value.span, format!("{share} is no percentile")).help(
                        "it lies between 0 % and 100 %: \"95%\" asks again what takes longer than 95 % of the answers",
                    ),
                );
                return None;
            }
            Some(After::Quantile(share))
        }
        _ => value::span(value, "`after` (a duration, or a share of the answers: \"95%\")", problems).map(After::Time),
    }
}

fn breaker(value: &Value, problems: &mut Problems) -> Option<breaker::Config> {
    let fields = Fields::open(&BREAKER, value, problems)?;
    // As in resilience4j, but for a window of a hundred in place of a minute of everything.
    let window = match fields.get("window") {
        None => Window::Count(100),
        Some(value) => match value.kind {
            Kind::Number(_) => Window::Count(small(value, "`window` (outcomes)", 1, 1_000_000, problems)?),
            _ => Window::Time(value::positive_span(value, "`window` (outcomes, or a duration)", problems)?),
        },
    };
    let half = Ratio::new(0.5).unwrap_or_default();
    let failures = fields.get("failures").map_or(Some(half), |value| value::ratio(value, "`failures`", problems))?;
    if failures.is_zero() {
        let at = fields.get("failures").map_or(fields.span, |value| value.span);
        problems.add(
            Diagnostic::error(Code::OutOfRange, at, "a breaker that opens without any failure would never be closed")
                .help("`failures` is a share above 0 %"),
        );
        return None;
    }
    let minimum = match fields.get("minimum") {
        Some(value) => small(value, "`minimum` (outcomes)", 1, 1_000_000, problems)?,
        None => match window {
            Window::Count(count) => count.min(20),
            Window::Time(_) => 20,
        },
    };
    if let Window::Count(count) = window
        && minimum > count
    {
        problems.add(
            Diagnostic::error(Code::Contradiction, fields.span, "the window never holds the minimum of outcomes")
                .label(format!("{minimum} of {count}"))
                .help("make `window` larger or `minimum` smaller"),
        );
        return None;
    }
    let open_for = fields.need("open_for", "\"5s\"", problems);
    let open_for = open_for.and_then(|value| value::positive_span(value, "`open_for`", problems));
    let probes = fields.get("probes").map_or(Some(3), |value| small(value, "`probes`", 1, 1_000_000, problems));
    Some(breaker::Config { window, failures, minimum, open_for: open_for?, probes: probes? })
}

fn bulkhead(value: &Value, problems: &mut Problems) -> Option<bulkhead::Config> {
    let read = |value: &Value, problems: &mut Problems| {
        let max = value::whole(value, "`bulkhead` (requests at a time)", 1..=1_000_000, problems)?;
        usize::try_from(max).ok()
    };
    if let Kind::Number(_) = value.kind {
        return Some(bulkhead::Config { max: read(value, problems)?, queue: None });
    }
    let fields = Fields::open(&BULKHEAD, value, problems)?;
    let max = fields.need("max", "10", problems).and_then(|value| read(value, problems));
    let queue = match fields.get("queue") {
        None => None,
        Some(value) => Some(usize::try_from(value::whole(value, "`queue`", 0..=u64::MAX, problems)?).ok()?),
    };
    Some(bulkhead::Config { max: max?, queue })
}
