//! Clients that do not do as they should.
#![cfg(unix)]

use std::{path::PathBuf, time::Duration};

use overcurrent_outage::{
    client::Client,
    fleet::{Commands, Fleet},
};

fn commands(program: &str) -> Commands {
    let program = PathBuf::from(program);
    Commands {
        rust: program.clone(),
        python: program.clone(),
        node: program,
        scripts: PathBuf::new(),
        policy: PathBuf::new(),
        rate: 1,
        lasts: Duration::ZERO,
        serving: None,
    }
}

async fn complaint(program: &str, within: Duration) -> String {
    let mut fleet = Fleet::launch(&commands(program), Client::all(), Client::path).expect("a process");
    fleet.ready(within).await.expect_err("no client is ready")
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = Fleet::launch(&commands("no-such-program"), Client::all(), Client::path);
    let error = error.expect_err("no process");
    assert!(error.to_string().contains("no-such-program"), "{error}");
}

#[tokio::test]
async fn a_client_that_ends_early_is_noticed() {
    let why = complaint("true", Duration::from_secs(60)).await;
    assert!(why.ends_with("client did not wait for the start"), "{why}");
}

#[tokio::test]
async fn a_client_that_fails_is_noticed() {
    let why = complaint("false", Duration::from_secs(60)).await;
    assert!(why.contains("exit status: 1"), "{why}");
}

#[tokio::test]
async fn a_client_that_speaks_otherwise_is_noticed() {
    // `echo` repeats its arguments, which is no JSON.
    let why = complaint("echo", Duration::from_secs(60)).await;
    assert!(why.contains("wrote `"), "{why}");
}
