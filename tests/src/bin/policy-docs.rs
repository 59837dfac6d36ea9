//! Prints `docs/policy.md`.

fn main() {
    print!("{}", overcurrent_tests::policy_docs::page());
}
