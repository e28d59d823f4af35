//! Which of the asserted causes is the root: the one with a path to the effect that no other asserted cause explains.

use super::assess::Found;
use crate::catalog::graph::{Edge, Node};
use crate::catalog::load::Catalog;
use crate::model::finding::{Role, Verdict};
use crate::model::time::SECOND;

/// A consequence is sometimes written before its cause: kernel lines are rate limited, journald reads its sources one
/// after the other.
const SLACK: i64 = 60 * SECOND;
/// Evidence that is not itself a failing call and first comes this long after the effect began is not why it began.
const LATE: i64 = 120 * SECOND;

/// An asserted cause with its role.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// The cause.
    pub found: Found,
    /// Its role.
    pub role: Role,
    /// From the cause to the effect, both ends included; empty for a risk.
    pub path: Vec<Node>,
}

/// Gives every asserted cause its role towards the effect that began at `since` (on the record's time line; `None` where
/// the premise stands in for it). Root cause first.
pub fn rank(catalog: &Catalog, found: Vec<Found>, effects: &[&str], since: Option<i64>) -> Vec<Ranked> {
    let found: Vec<Found> = found
        .into_iter()
        .filter(|f| since.is_none_or(|s| f.may_be_late || f.earliest.min(f.first.t) <= s + LATE))
        .collect();
    let upstream: Vec<Option<usize>> = (0..found.len()).map(|i| explained_by(catalog, &found, i)).collect();
    let mut ranked: Vec<Ranked> = found
        .iter()
        .zip(&upstream)
        .map(|(f, explained)| {
            let path = path_to(catalog, f, effects, &found).unwrap_or_default();
            let role = match (explained, path.is_empty()) {
                (Some(_), _) => Role::Consequence,
                (None, false) => Role::RootCause,
                (None, true) => Role::Risk,
            };
            Ranked {
                found: f.clone(),
                role,
                path,
            }
        })
        .collect();
    let weight: Vec<usize> = (0..found.len())
        .map(|i| upstream.iter().filter(|u| **u == Some(i)).count())
        .collect();
    let best = (0..ranked.len())
        .filter(|i| ranked[*i].role == Role::RootCause)
        .min_by_key(|i| {
            let f = &found[*i];
            (
                catalog.causes[f.cause].file.last_resort,
                f.verdict != Verdict::Confirmed,
                !ends_kubelet(catalog, &ranked[*i].path),
                std::cmp::Reverse(weight[*i]),
                f.first.t,
                f.cause,
            )
        });
    for (i, r) in ranked.iter_mut().enumerate() {
        if r.role == Role::RootCause && Some(i) != best {
            r.role = Role::Contributing;
        }
    }
    ranked.sort_by_key(|r| {
        (
            r.role,
            r.found.verdict != Verdict::Confirmed,
            r.found.first.t,
            r.found.cause,
        )
    });
    ranked
}

/// The shortest path from the cause to one of the effects; one over causes of which nothing was seen only where there is
/// no other, as it is what a person reads as the reason.
fn path_to(catalog: &Catalog, found: &Found, effects: &[&str], asserted: &[Found]) -> Option<Vec<Node>> {
    let shortest = |open: &dyn Fn(Node, &Edge) -> bool| {
        effects
            .iter()
            .filter_map(|e| catalog.graph.node(e))
            .filter_map(|effect| catalog.graph.path(found.cause, effect, open))
            .min_by_key(Vec::len)
    };
    let seen = |node: Node| node >= catalog.graph.causes || asserted.iter().any(|a| a.cause == node);
    shortest(&|from, edge| is_open(found, from, edge) && seen(edge.to))
        .or_else(|| shortest(&|from, edge| is_open(found, from, edge)))
}

fn is_open(found: &Found, from: Node, edge: &Edge) -> bool {
    match edge.when {
        // A guard of a cause that is only on the way cannot be judged here; it is taken to hold.
        Some(signal) if from == found.cause => found.signals.iter().any(|(s, _)| *s == signal),
        _ => true,
    }
}

/// Whether the path goes through the end of the kubelet's process: beside such a cause failing calls explain nothing, as
/// a kubelet that exits calls nobody.
fn ends_kubelet(catalog: &Catalog, path: &[Node]) -> bool {
    catalog
        .graph
        .node("kubelet-down")
        .is_some_and(|down| path.contains(&down))
}

/// The asserted cause that explains the one at `index`, if any: the one that began first.
fn explained_by(catalog: &Catalog, found: &[Found], index: usize) -> Option<usize> {
    let down = &found[index];
    (0..found.len())
        .filter(|i| *i != index && found[*i].cause != down.cause)
        .filter(|i| {
            let up = &found[*i];
            let open = |from: Node, edge: &Edge| {
                let in_time = from != up.cause || down.first.t - up.last.t <= edge.lag;
                edge.to < catalog.graph.causes && in_time && is_open(up, from, edge)
            };
            (descends(catalog, up.cause, down.cause) || up.earliest.min(up.first.t) <= down.first.t + SLACK)
                && catalog.graph.path(up.cause, down.cause, &open).is_some()
        })
        .min_by_key(|i| (found[*i].first.t, *i))
}

/// Whether `cause` is a child, or a child's child, of `ancestor`. A child says the same more finely, and may be known later.
fn descends(catalog: &Catalog, cause: usize, ancestor: usize) -> bool {
    std::iter::successors(catalog.causes[cause].parent, |p| catalog.causes[*p].parent).any(|p| p == ancestor)
}
