//! Lists of backends, of a balancer's pool and of an edge: each named once, and one at least.

use super::nodes::Nodes;
use super::{Problems, inner, value};
use crate::scenario::ast::Value;
use crate::scenario::diagnostic::{Code, Diagnostic};
use crate::scenario::plan::{Plan, Target};

/// What is said of a list that is wrong.
pub(super) struct Words {
    /// Where a backend is already that is named again: `the pool`.
    pub(super) within: &'static str,
    /// What to do about that.
    pub(super) once: &'static str,
    /// What is wrong with a list of nobody.
    pub(super) nobody: &'static str,
}

/// The backends that a value names, in the order of their nodes. `target` knows which nodes may be one and reports the others.
pub(super) fn read(
    value: &Value,
    words: &Words,
    nodes: &Nodes<'_>,
    plan: &Plan,
    problems: &mut Problems,
    target: impl Fn(u32, &Value, &mut Problems) -> Option<Target>,
) -> Option<Vec<Target>> {
    let mut targets: Vec<Target> = Vec::new();
    for value in value::each(value) {
        for &node in nodes.find(value, problems)? {
            let made = target(node, value, problems)?;
            if targets.iter().any(|other| other.node == node) {
                let message = format!("`{}` is in {} already", plan.nodes[node as usize].name, words.within);
                problems.add(Diagnostic::error(Code::DuplicateName, inner(value), message).help(words.once));
                return None;
            }
            targets.push(made);
        }
    }
    if targets.is_empty() {
        problems.add(Diagnostic::error(Code::Empty, value.span, words.nobody));
        return None;
    }
    targets.sort_by_key(|target| target.node);
    Some(targets)
}
