//! stub
use crate::{checks::Claim, run::Run};
/// stub
pub fn page(_run: &Run, _claims: &[Claim]) -> String { String::new() }
