//! What the HTTP API of Prometheus answers: series of points.
//!
//! Source of the format: "HTTP API" of the Prometheus documentation, version 1 of the API.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels; `__name__` is the metric.
    pub labels: BTreeMap<String, String>,
    /// Its values, each with its time in seconds since the Unix epoch. The answer for one instant has one of them.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// The value of a label; empty where it has none of this name, as Prometheus sees it.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Its last value.
    pub fn last(&self) -> Option<f64> {
        self.points.last().map(|(_, value)| *value)
    }
}

#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Success { data: Data },
    Error { error: String },
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<Point>,
    #[serde(default)]
    values: Vec<Point>,
}

/// A number is written as text, as JSON knows no infinity.
#[derive(Deserialize)]
struct Point(f64, String);

/// Reads the answer to a query.
///
/// # Errors
/// When it is none, or says that the query failed.
pub fn parse(text: &str) -> Result<Vec<Series>, String> {
    let answer: Answer = serde_json::from_str(text).map_err(|error| format!("answered `{text}`: {error}"))?;
    match answer {
        Answer::Error { error } => Err(error),
        Answer::Success { data } => data.result.into_iter().map(series).collect(),
    }
}

fn series(result: Found) -> Result<Series, String> {
    // Rust reads what Go writes: `NaN`, `+Inf`, `1e-09`.
    let number = |Point(at, value): Point| match value.parse() {
        Ok(value) => Ok((at, value)),
        Err(_) => Err(format!("answered `{value}`, which is no number")),
    };
    let points = result.value.into_iter().chain(result.values).map(number);
    Ok(Series { labels: result.metric, points: points.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_and_a_range_read_alike() {
        let instant = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"up","language":"rust"},"value":[1700000000.25,"1"]}]}}"#;
        let range = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{},"values":[[1,"0.5"],[2,"+Inf"],[3,"1e-09"]]}]}}"#;
        let up = &parse(instant).expect("an answer")[0];
        assert_eq!((up.label("language"), up.label("other"), up.last()), ("rust", "", Some(1.0)));
        assert_eq!(up.points, [(1_700_000_000.25, 1.0)]);
        let points = &parse(range).expect("an answer")[0].points;
        assert_eq!(points, &[(1.0, 0.5), (2.0, f64::INFINITY), (3.0, 1e-9)]);
    }

    #[test]
    fn what_went_wrong_is_said() {
        let refused = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter"}"#;
        assert_eq!(parse(refused), Err("invalid parameter".to_owned()));
        assert!(parse("404 page not found").is_err_and(|why| why.contains("404")));
        let odd = r#"{"status":"success","data":{"result":[{"metric":{},"value":[1,"one"]}]}}"#;
        assert!(parse(odd).is_err_and(|why| why.contains("`one`")));
    }
}
