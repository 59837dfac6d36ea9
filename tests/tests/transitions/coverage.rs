//! Which edges of the state table were taken, and by whom.

use std::collections::HashMap;

use crate::table::Edge;

/// What was taken so far.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    taken: HashMap<Edge, Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The tests that take it, each once, the one that is about it first.
    tests: Vec<String>,
    /// How often random runs took it.
    random: u64,
}

impl Coverage {
    /// A test took this edge on its way.
    pub(crate) fn passed(&mut self, test: &str, edge: Edge) {
        let tests = &mut self.taken.entry(edge).or_default().tests;
        if !tests.iter().any(|known| known == test) {
            tests.push(test.to_owned());
        }
    }

    /// A test is about this edge.
    pub(crate) fn tested(&mut self, test: &str, edge: Edge) {
        let tests = &mut self.taken.entry(edge).or_default().tests;
        tests.retain(|known| known != test);
        tests.insert(0, test.to_owned());
    }

    /// A random run took it.
    pub(crate) fn ran(&mut self, edge: Edge) {
        self.taken.entry(edge).or_default().random += 1;
    }

    /// What is wrong: edges of the table that no test takes, and edges taken that it does not have.
    pub(crate) fn gaps(&self, table: &[(&'static str, Edge)]) -> Vec<String> {
        let tested = |edge| self.taken.get(edge).is_some_and(|taken| !taken.tests.is_empty());
        let untested = table.iter().filter(|(_, edge)| !tested(edge));
        let unknown = self.taken.keys().filter(|edge| table.iter().all(|(_, known)| known != *edge));
        untested
            .map(|(_, edge)| format!("no test takes {edge}"))
            .chain(unknown.map(|edge| format!("the table does not have {edge}")))
            .collect()
    }

    /// The table with what took each edge.
    pub(crate) fn print(&self, table: &[(&'static str, Edge)]) {
        println!("{:<87} {:>7} {:>9}  the test about it", "the state table, edge by edge", "tests", "random");
        let mut heading = "";
        for (rule, edge) in table {
            if *rule != heading {
                heading = rule;
                println!("\n{rule}");
            }
            let taken = self.taken.get(edge);
            let tests = taken.map_or(0, |taken| taken.tests.len());
            let random = taken.map_or(0, |taken| taken.random);
            let first = taken.and_then(|taken| taken.tests.first()).map_or("NONE", String::as_str);
            println!("  {edge} {tests:>7} {random:>9}  {first}");
        }
    }
}
