//! JSON as JavaScript has it.

use serde_json::{Number, Value};

/// Whole numbers lose their `.0`, as JavaScript writes them.
pub(crate) fn as_javascript(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = whole(number) {
                *number = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(as_javascript),
        Value::Object(fields) => fields.values_mut().for_each(as_javascript),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The whole number that a floating-point number is, where doubles hold it exactly.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the number is whole and below 2^53"
)]
fn whole(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|_| number.is_f64())?;
    (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i64)
}

/// A text of the object, or nothing.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of an array; none where it is none.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
