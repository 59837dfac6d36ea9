//! How the random tests run: as many cases as `PROPTEST_CASES` says (256 by default), and a case that
//! failed once is kept beside the tests and tried first ever after.

use proptest::{prelude::ProptestConfig, test_runner::FileFailurePersistence};

/// The configuration of the tests that keep their failures in the file `regressions`.
///
/// The file is named outright: proptest would look for a `lib.rs` above the source of a test, and there
/// is none.
pub(crate) fn config(regressions: &'static str) -> ProptestConfig {
    ProptestConfig {
        max_shrink_iters: 20_000,
        // Cases that do not meet what a test presumes are drawn anew, however many there are.
        max_global_rejects: u32::MAX,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        ..ProptestConfig::default()
    }
}
