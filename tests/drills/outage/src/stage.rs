//! What a run is set up with: its rate, its patience, and a start for all at the same instant.

use std::{
    env,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{fleet::Fleet, script::millis, upstream::Upstream};

/// Calls that each client begins in each second.
pub const RATE: u32 = 40;
/// How long the last calls may take after the end of the script.
pub const OVERSTAY: Duration = Duration::from_secs(15);
/// From the start signal to the start.
pub const LEAD: Duration = Duration::from_millis(300);
/// How long the clients may take to be ready, on a cold and busy machine.
pub const READY: Duration = Duration::from_secs(60);

/// Has the clients, which are ready, and the script of the upstream start together; returns when that is.
///
/// # Errors
/// When a client no longer listens.
pub async fn start(fleet: &mut Fleet, upstream: &Upstream) -> Result<SystemTime, String> {
    let start = SystemTime::now() + LEAD;
    upstream.begin(Instant::now() + LEAD);
    let since = start.duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    fleet.go(millis(since)).await.map_err(|error| error.to_string())?;
    Ok(start)
}

/// A program beside the one that runs.
///
/// # Errors
/// When it is not there.
pub fn sibling(name: &str) -> Result<PathBuf, String> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let path = own.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} is missing, build it with `cargo build -p overcurrent-outage --bins`", path.display()))
}
