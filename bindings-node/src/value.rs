//! A JavaScript value as a raw policy value. Nothing is judged here.

use napi::{
    JsValue, KeyCollectionMode, KeyConversion, KeyFilter, Result, ValueType,
    bindgen_prelude::{JsObjectValue, Object, Unknown},
};
use overcurrent::Value;

/// No policy nests deeper; an object that holds itself ends here.
const DEEPEST: u32 = 16;

/// The raw value of a JavaScript value.
///
/// A plain object is a table of its own enumerable fields. What is no data (a function, a `Map`, a
/// `Date`) is kept as its text, for the error message.
pub(crate) fn value(raw: &Unknown<'_>) -> Result<Value> {
    tree(raw, 0)
}

fn tree(raw: &Unknown<'_>, depth: u32) -> Result<Value> {
    Ok(match raw.get_type()? {
        ValueType::Undefined | ValueType::Null => Value::Null,
        ValueType::Boolean => Value::Bool(raw.coerce_to_bool()?),
        // JavaScript shows a number as its shortest decimal, whole ones without a point.
        ValueType::Number | ValueType::BigInt => Value::Number(text(raw)?),
        ValueType::String => Value::Text(text(raw)?),
        ValueType::Object if depth == DEEPEST => Value::Other("an object too deep".into()),
        ValueType::Object => object(raw, depth + 1)?,
        ValueType::Function => Value::Other("a function".into()),
        _ => Value::Other("a symbol".into()),
    })
}

fn text<'e>(raw: &impl JsValue<'e>) -> Result<String> {
    raw.coerce_to_string()?.into_utf8()?.into_owned()
}

fn object(raw: &Unknown<'_>, depth: u32) -> Result<Value> {
    let object = raw.coerce_to_object()?;
    if object.is_array()? {
        let items = (0..object.get_array_length()?).map(|index| tree(&object.get_element(index)?, depth));
        return Ok(Value::List(items.collect::<Result<_>>()?));
    }
    if !is_plain(&object)? {
        return Ok(Value::Other(text(&object)?));
    }
    let names = object.get_all_property_names(
        KeyCollectionMode::OwnOnly,
        KeyFilter::Enumerable,
        KeyConversion::NumbersToStrings,
    )?;
    let mut entries = Vec::new();
    for index in 0..names.get_array_length()? {
        let name: Unknown<'_> = names.get_element(index)?;
        if name.get_type()? == ValueType::String {
            let field: Unknown<'_> = object.get_property_unchecked(name)?;
            entries.push((text(&name)?, tree(&field, depth)?));
        }
    }
    Ok(Value::Table(entries))
}

/// Whether it has no prototype, or one that has none itself: `Object.prototype` of any realm.
fn is_plain(object: &Object<'_>) -> Result<bool> {
    let prototype = object.get_prototype()?;
    if prototype.get_type()? == ValueType::Null {
        return Ok(true);
    }
    Ok(prototype.coerce_to_object()?.get_prototype()?.get_type()? == ValueType::Null)
}
