//! The shape of the project, held by tests: layers without cycles, a kernel without clock or I/O, short
//! files, one version.

#[path = "structure/modules.rs"]
mod modules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use modules::Modules;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[test]
fn no_module_of_the_core_depends_on_itself_in_a_circle() {
    let modules = Modules::read(&root().join("core/src"));
    assert!(modules.len() > 30, "only {} modules were found", modules.len());
    if let Some(circle) = modules.circle() {
        panic!("modules in a circle: {}", circle.join(" → "));
    }
}

#[test]
fn each_layer_of_the_core_imports_only_from_those_below() {
    const LAYERS: [&str; 5] = ["kernel", "cells", "live", "drive", "adapt"];
    let layer = |module: &str| LAYERS.iter().position(|layer| module.split("::").next() == Some(layer));
    let modules = Modules::read(&root().join("core/src"));
    for (from, to) in modules.edges() {
        // What a parent re-exports comes from its children, so to ask the parent would be a circle.
        assert!(!from.starts_with(&format!("{to}::")), "`{from}` imports from its parent `{to}`");
        if let (Some(upper), Some(lower)) = (layer(from), layer(to)) {
            assert!(lower <= upper, "`{from}` imports from `{to}`, a layer above its own");
        }
        assert!(layer(from).is_none() || layer(to).is_some(), "`{from}` imports from the crate's root");
    }
}

#[test]
fn the_kernel_knows_no_clock_thread_lock_or_io() {
    const FOREIGN: [&str; 10] = [
        "std::time::Instant",
        "SystemTime",
        "std::thread",
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "getrandom",
        "Mutex",
        "atomic",
    ];
    for file in files(&root().join("core/src/kernel"), &["rs"]) {
        let text = read(&file);
        for word in FOREIGN {
            assert!(!text.contains(word), "{} names `{word}`", file.display());
        }
    }
}

#[test]
fn no_hand_written_file_is_over_600_lines() {
    const ENDINGS: [&str; 5] = ["rs", "py", "pyi", "ts", "mjs"];
    let folders = ["core/src", "bindings-python", "bindings-node", "benches", "tests"];
    // The stub of one extension module has to be one file; it is declarations and what an editor shows of them.
    let limit = |file: &Path| if file.ends_with("overcurrent/_core.pyi") { 700 } else { 600 };
    let mut seen = 0;
    for file in folders.iter().flat_map(|folder| files(&root().join(folder), &ENDINGS)) {
        let lines = read(&file).lines().count();
        assert!(lines <= limit(&file), "{} has {lines} lines", file.display());
        seen += 1;
    }
    assert!(seen > 50, "only {seen} files were found");
}

#[test]
fn there_is_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    let package: serde_json::Value =
        serde_json::from_str(&read(root().join("package.json"))).expect("it is JSON");
    assert_eq!(package["version"], version, "package.json");
    let lock: serde_json::Value =
        serde_json::from_str(&read(root().join("package-lock.json"))).expect("it is JSON");
    assert_eq!(lock["version"], version, "package-lock.json");
    assert!(read(root().join("pyproject.toml")).contains("dynamic = [\"version\"]"), "pyproject.toml");
    let manifest = read(root().join("Cargo.toml"));
    assert!(
        manifest.contains(&format!("overcurrent = {{ path = \"core\", version = \"{version}\"")),
        "Cargo.toml"
    );
    assert!(read(root().join("CHANGELOG.md")).contains(&format!("## {version}")), "CHANGELOG.md");
}

/// The files below `folder` with one of the endings, without what tools made.
fn files(folder: &Path, endings: &[&str]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let made = ["target", "node_modules", "dist", "__pycache__"];
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && !made.iter().any(|made| name == *made) {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
                found.insert(path);
            }
        }
    }
    found
}
