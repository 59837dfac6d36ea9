//! Draws the outage as Prometheus saw it: a history, as `observed --history` writes it, from standard input; the picture
//! to standard output.

use std::{
    error::Error,
    io::{self, Write},
};

use overcurrent_outage::observer::{history::History, picture};

fn main() -> Result<(), Box<dyn Error>> {
    let history: History = serde_json::from_reader(io::stdin().lock())?;
    io::stdout().write_all(picture::svg(&history).as_bytes())?;
    Ok(())
}
