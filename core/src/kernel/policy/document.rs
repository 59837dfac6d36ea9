//! A whole policy document: named guard policies, `[policy.NAME]` in TOML or
//! `{"policy": {"NAME": {…}}}` in JSON, every one of them validated when the document is parsed.

use super::{
    dialect::Dialect,
    field::{Fields, Shape},
    guard::GuardPolicy,
    table::{Table, entries, hint, join, refuse},
    text,
    value::Value,
};
use crate::kernel::error::InvalidPolicy;

const POLICY: Shape = Shape {
    name: "policy",
    forms: "a table of policies by name",
    default: "no policies",
    meaning: "the policies",
};
const FIELDS: &Fields = &[&POLICY];

/// The validated policies of one document, by name and in order.
///
/// ```
/// use overcurrent::kernel::policy::PolicyDocument;
///
/// # #[cfg(feature = "toml")] {
/// let document = PolicyDocument::from_toml("[policy.payments]\nattempt_timeout = '2s'")?;
/// assert_eq!(document.names().collect::<Vec<_>>(), ["payments"]);
/// assert!(document.guard("payments")?.breaker.is_some());
///
/// let error = document.guard("payment").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "invalid policy at `policy`: `payment` is not in the document, did you mean `payments`?"
/// );
/// # }
/// # Ok::<(), overcurrent::kernel::error::InvalidPolicy>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    policies: Vec<(String, GuardPolicy)>,
}

impl PolicyDocument {
    /// Parses a document in the format its file name says: `.toml` or `.json`.
    ///
    /// # Errors
    /// Another ending, a format left out of this build, and what [`from_value`](Self::from_value)
    /// refuses.
    #[cfg(any(feature = "toml", feature = "json"))]
    pub fn parse(file_name: &str, text: &str) -> Result<Self, InvalidPolicy> {
        let ending = file_name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        let value = match ending.as_str() {
            #[cfg(feature = "toml")]
            "toml" => text::toml(text)?,
            #[cfg(feature = "json")]
            "json" => text::json(text)?,
            _ => return Err(text::unreadable(file_name, &ending)),
        };
        Self::from_value(&value)
    }

    /// Parses a document in TOML.
    ///
    /// # Errors
    /// A text that is no TOML, at the path `document`, and what [`from_value`](Self::from_value)
    /// refuses.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, InvalidPolicy> {
        Self::from_value(&text::toml(text)?)
    }

    /// Parses a document in JSON.
    ///
    /// # Errors
    /// A text that is no JSON, at the path `document`, and what [`from_value`](Self::from_value)
    /// refuses.
    #[cfg(feature = "json")]
    pub fn from_json(text: &str) -> Result<Self, InvalidPolicy> {
        Self::from_value(&text::json(text)?)
    }

    /// Reads a document from its raw form.
    ///
    /// # Errors
    /// The first policy, in order, that breaks a rule.
    pub fn from_value(value: &Value) -> Result<Self, InvalidPolicy> {
        if !matches!(value, Value::Table(_)) {
            return Err(text::misshapen(value));
        }
        let table = Table::open(value, "", Dialect::Document, FIELDS)?;
        let raw = table.raw(POLICY.name).map_or(Ok(&[][..]), |value| entries(value, POLICY.name))?;
        let read = |(name, value): &(String, Value)| {
            let policy = GuardPolicy::from_value(value, &join(POLICY.name, name), Dialect::Document)?;
            Ok((name.clone(), policy))
        };
        Ok(Self { policies: raw.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// The names of the policies, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.policies.iter().map(|(name, _)| name.as_str())
    }

    /// The policy of that name.
    ///
    /// # Errors
    /// A name that is not in the document.
    pub fn guard(&self, name: &str) -> Result<GuardPolicy, InvalidPolicy> {
        let found = self.policies.iter().find_map(|(other, policy)| (other == name).then(|| policy.clone()));
        found.ok_or_else(|| {
            let rest =
                if self.policies.is_empty() { "which is empty".into() } else { hint(name, self.names()) };
            refuse(POLICY.name, name, format!("is not in the document, {rest}"))
        })
    }
}
