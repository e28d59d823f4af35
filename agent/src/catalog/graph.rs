//! The causal graph: causes and effects as nodes, "makes that happen" as edges.

use std::collections::{HashMap, HashSet, VecDeque};

/// Index of a node: causes first, in the catalog's order, then effects.
pub type Node = usize;

/// An edge to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Where it leads.
    pub to: Node,
    /// At most this long from onset to onset, microseconds.
    pub lag: i64,
    /// Index of the signal that guards it.
    pub when: Option<usize>,
}

/// The graph.
#[derive(Debug, Default)]
pub struct Graph {
    /// The ids of the nodes.
    pub ids: Vec<String>,
    /// How many of them are causes.
    pub causes: usize,
    edges: Vec<Vec<Edge>>,
}

impl Graph {
    pub(super) fn new(ids: Vec<String>, causes: usize) -> Self {
        let edges = vec![Vec::new(); ids.len()];
        Self { ids, causes, edges }
    }

    pub(super) fn add(&mut self, from: Node, edge: Edge) {
        if from != edge.to && !self.edges[from].contains(&edge) {
            self.edges[from].push(edge);
        }
    }

    /// The edges from a node.
    pub fn edges(&self, from: Node) -> &[Edge] {
        &self.edges[from]
    }

    /// The index of an id.
    pub fn node(&self, id: &str) -> Option<Node> {
        self.ids.iter().position(|i| i == id)
    }

    /// The shortest path from one node to another over edges that `open` lets pass, both ends included.
    pub fn path(&self, from: Node, to: Node, open: &dyn Fn(Node, &Edge) -> bool) -> Option<Vec<Node>> {
        let mut before: HashMap<Node, Node> = HashMap::new();
        let mut seen = HashSet::from([from]);
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut path = vec![to];
                while let Some(previous) = before.get(path.last().unwrap_or(&to)) {
                    path.push(*previous);
                }
                path.reverse();
                return Some(path);
            }
            for edge in &self.edges[node] {
                if open(node, edge) && seen.insert(edge.to) {
                    before.insert(edge.to, node);
                    queue.push_back(edge.to);
                }
            }
        }
        None
    }

    /// A cycle, as ids, if there is one.
    pub(super) fn cycle(&self) -> Option<Vec<String>> {
        // 0 unseen, 1 on the stack, 2 done
        let mut state = vec![0u8; self.ids.len()];
        for start in 0..self.ids.len() {
            if state[start] != 0 {
                continue;
            }
            let mut stack = vec![(start, 0usize)];
            state[start] = 1;
            while let Some((node, next)) = stack.pop() {
                let Some(edge) = self.edges[node].get(next) else {
                    state[node] = 2;
                    continue;
                };
                stack.push((node, next + 1));
                match state[edge.to] {
                    0 => {
                        state[edge.to] = 1;
                        stack.push((edge.to, 0));
                    }
                    1 => {
                        let from = stack.iter().position(|(n, _)| *n == edge.to).unwrap_or(0);
                        let mut ids: Vec<String> = stack[from..].iter().map(|(n, _)| self.ids[*n].clone()).collect();
                        ids.push(self.ids[edge.to].clone());
                        return Some(ids);
                    }
                    _ => {}
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(usize, usize)]) -> Graph {
        let mut g = Graph::new((0..5).map(|i| format!("n{i}")).collect(), 3);
        for (from, to) in edges {
            g.add(
                *from,
                Edge {
                    to: *to,
                    lag: 0,
                    when: None,
                },
            );
        }
        g
    }

    #[test]
    fn finds_paths_and_cycles() {
        let g = graph(&[(0, 1), (1, 2), (2, 4)]);
        assert_eq!(g.path(0, 4, &|_, _| true), Some(vec![0, 1, 2, 4]));
        assert_eq!(g.path(4, 0, &|_, _| true), None);
        assert_eq!(g.path(0, 4, &|from, _| from != 1), None);
        assert_eq!(g.cycle(), None);
        assert_eq!(graph(&[(0, 1), (1, 2), (2, 0)]).cycle().map(|c| c.len()), Some(4));
    }
}
