//! "Did you mean": the known name that a misspelt one most likely stands for, or none rather than a wild guess.

/// The name of `known` closest to `written`, if it is close enough that a slip of the finger explains the difference: about
/// one wrong, missing, extra or swapped letter in three. Upper and lower case count as equal. Of equally close names the first.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let allowed = lower.chars().count().div_ceil(3);
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let other = name.to_lowercase();
        // Half a word is a likely thing to write: `loss` for `loss_rate`, `Balancer` for `LoadBalancer`.
        let part = lower.chars().count() >= 4 && (other.starts_with(&lower) || other.ends_with(&lower));
        let distance = strsim::osa_distance(&lower, &other);
        let distance = if part { distance.min(allowed) } else { distance };
        // Nothing of a short word is left when every letter may change.
        let related = distance < other.chars().count().max(lower.chars().count());
        if distance <= allowed && related && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// The advice for a misspelt name: "did you mean `x`?", or the choices when none is close, or that there is none.
/// `what` names the choices in the plural: `nodes`.
pub fn advice<'a>(written: &str, what: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(written, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => choices(what, known),
    }
}

/// The choices in one line, the first dozen of them: "nodes are `a`, `b` and `c`".
pub fn choices<'a>(what: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let quoted: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => format!("there are no {what}"),
        [only] => format!("{what}: only {only} exists"),
        [most @ .., last] if quoted.len() <= SHOWN => format!("{what} are {} and {last}", most.join(", ")),
        many => format!("{what} are {} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 4] = ["london", "edge", "lb", "origin"];

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        for (written, meant) in [
            ("lodon", "london"),
            ("lnodon", "london"),
            ("London", "london"),
            ("ege", "edge"),
            ("orign", "origin"),
            ("bl", "lb"),
        ] {
            assert_eq!(closest(written, NODES), Some(meant), "{written}");
        }
        assert_eq!(closest("balancer", ["LoadBalancer", "Server"]), Some("LoadBalancer"));
        assert_eq!(closest("timeout", ["timeout_after", "retry"]), Some("timeout_after"));
    }

    #[test]
    fn one_letter_in_three_is_the_limit() {
        assert_eq!(closest("londxx", NODES), Some("london"), "2 of 6");
        assert_eq!(closest("lonxxx", NODES), None, "3 of 6");
        assert_eq!(closest("x", ["y"]), None, "another letter is another name");
        assert_eq!(closest("", ["y"]), None);
        assert_eq!(closest("tokyo", NODES), None);
    }

    #[test]
    fn of_several_the_closest_wins_and_of_equals_the_first() {
        assert_eq!(closest("server1", ["server10", "server1x", "serverz"]), Some("server10"));
        assert_eq!(closest("edgy", ["edges", "edge"]), Some("edge"));
    }

    #[test]
    fn without_a_close_name_the_choices_are_shown() {
        assert_eq!(advice("tokyo", "nodes", NODES), "nodes are `london`, `edge`, `lb` and `origin`");
        assert_eq!(advice("tokyo", "nodes", ["a"]), "nodes: only `a` exists");
        assert_eq!(advice("tokyo", "nodes", []), "there are no nodes");
        let many: Vec<String> = (0..40).map(|n| format!("host-{n}")).collect();
        assert!(advice("tokyo", "nodes", many.iter().map(String::as_str)).ends_with("`host-11` and 28 more"));
    }
}
