//! Which module of a crate imports from which, read from its source.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::{Item, UseTree};

/// The modules of a crate, by their paths, and what each imports from.
pub(crate) struct Modules {
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl Modules {
    /// Reads the crate whose root is in `folder`. Tests and models do not count.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut sources = BTreeMap::new();
        collect(folder, &mut Vec::new(), &mut sources);
        let names: BTreeSet<String> = sources.keys().cloned().collect();
        let imports = sources
            .iter()
            .map(|(module, items)| {
                let mut found = BTreeSet::new();
                for item in items {
                    // A `pub use` in a module that only gathers its children is no import of them.
                    if let Item::Use(item) = item
                        && !matches!(item.vis, syn::Visibility::Public(_))
                    {
                        paths(&item.tree, &mut Vec::new(), &mut |path| {
                            found.extend(resolve(module, path, &names));
                        });
                    }
                }
                found.remove(module);
                (module.clone(), found)
            })
            .collect();
        Self { imports }
    }

    pub(crate) fn len(&self) -> usize {
        self.imports.len()
    }

    /// Every import, from and to; the root of the crate is the empty path.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.imports.iter().flat_map(|(from, to)| to.iter().map(move |to| (from.as_str(), to.as_str())))
    }

    /// A circle of imports, if there is one.
    pub(crate) fn circle(&self) -> Option<Vec<String>> {
        let mut done = BTreeSet::new();
        self.imports.keys().find_map(|module| self.circle_from(module, &mut Vec::new(), &mut done))
    }

    fn circle_from(
        &self,
        module: &str,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|passed| passed == module) {
            way.push(module.to_owned());
            return Some(way.split_off(start));
        }
        if !done.insert(module.to_owned()) {
            return None;
        }
        way.push(module.to_owned());
        for next in self.imports.get(module).into_iter().flatten() {
            if let Some(circle) = self.circle_from(next, way, done) {
                return Some(circle);
            }
        }
        way.pop();
        None
    }
}

fn collect(folder: &Path, path: &mut Vec<String>, sources: &mut BTreeMap<String, Vec<Item>>) {
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let file = entry.path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name == "tests" || name == "models" {
            continue;
        }
        if file.is_dir() {
            path.push(name);
            collect(&file, path, sources);
            path.pop();
        } else if file.extension().is_some_and(|ending| ending == "rs") {
            let mut module = path.clone();
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            let text = fs::read_to_string(&file).expect("it can be read");
            let items =
                syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items;
            sources.insert(module.join("::"), items);
        }
    }
}

fn paths(tree: &UseTree, path: &mut Vec<String>, found: &mut impl FnMut(&[String])) {
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            paths(&step.tree, path, found);
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| paths(tree, path, found)),
        UseTree::Name(name) => with(path, name.ident.to_string(), found),
        UseTree::Rename(name) => with(path, name.ident.to_string(), found),
        UseTree::Glob(_) => found(path),
    }
}

fn with(path: &mut Vec<String>, last: String, found: &mut impl FnMut(&[String])) {
    path.push(last);
    found(path);
    path.pop();
}

/// The module that an import in `module` reaches: the longest part of its path that is one.
fn resolve(module: &str, path: &[String], names: &BTreeSet<String>) -> Option<String> {
    let mut base: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut rest = path.iter().map(String::as_str).peekable();
    match *rest.peek()? {
        "crate" => {
            rest.next();
            base.clear();
        }
        "self" => {
            rest.next();
        }
        "super" => {
            while rest.next_if_eq(&"super").is_some() {
                base.pop();
            }
        }
        _ => return None,
    }
    let rest: Vec<&str> = rest.collect();
    (0..=rest.len())
        .rev()
        .map(|count| [&base[..], &rest[..count]].concat().join("::"))
        .find(|at| names.contains(at))
}
