//! `explain`: one request, message or echo, and where its time went.

use super::args::Explain;
use super::output::Failure;
use crate::observe::cases::explainable;
use crate::observe::sequence::{self, Cast, Charset, Sequence};
use crate::observe::{Case, Pick, Plan};

/// Which case was asked for.
pub(crate) fn pick(args: &Explain) -> Pick {
    match (args.request, args.slowest) {
        (Some(number), _) => Pick::Number(number),
        (None, true) => Pick::Slowest,
        (None, false) => Pick::Median,
    }
}

/// Which traffic was asked for: its number in the plan.
pub(crate) fn traffic(args: &Explain, plan: &[Plan]) -> Result<usize, Failure> {
    let names = |wanted: fn(&Plan) -> bool| {
        plan.iter().filter(|plan| wanted(plan)).map(|plan| plan.name.as_str()).collect::<Vec<_>>()
    };
    let can: Vec<&str> = names(|plan| explainable(plan.kind));
    if can.is_empty() {
        return Err(Failure::wrong("this scenario has nothing to explain: bulk transfers are not divided into phases"));
    }
    let Some(wanted) = &args.traffic else {
        let [only] = can.as_slice() else {
            return Err(Failure::wrong(format!(
                "explain which traffic? choose with --traffic among {}",
                can.join(", ")
            )));
        };
        return Ok(plan.iter().position(|plan| plan.name == *only).unwrap_or(0));
    };
    match plan.iter().position(|plan| plan.name == *wanted) {
        Some(place) if explainable(plan[place].kind) => Ok(place),
        Some(_) => Err(Failure::wrong(format!("`{wanted}` is a bulk transfer, which is not divided into phases"))),
        None => {
            Err(Failure::wrong(format!("no traffic is called `{wanted}`; there is {}", names(|_| true).join(", "))))
        }
    }
}

/// Why a case that was asked for is not there.
pub(crate) fn missing(args: &Explain, name: &str, known: usize) -> Failure {
    match args.request {
        Some(number) => {
            Failure::wrong(format!("`{name}` has no number {number} that had ended when the run did; {known} had"))
        }
        None => Failure::wrong(format!("nothing of `{name}` had ended when the run did")),
    }
}

/// The packets of a case as a diagram.
pub(crate) fn diagram(args: &Explain, case: &Case, sequence: &Sequence, cast: &Cast) -> String {
    let steps = sequence.steps(case.start, case.end);
    if steps.is_empty() {
        return "\nno packets\n".into();
    }
    let charset = if args.ascii { Charset::Ascii } else { Charset::Unicode };
    format!("\n{}", sequence::draw(&steps, cast, case.start, usize::from(args.width), charset))
}
