//! Numbers as JavaScript has them.

use serde_json::{Number, Value};

/// From here on neighbouring integers are the same double.
const FIRST_INEXACT: u64 = 1 << 53;

/// Gives every number in a value the one form that it has as a double: an integer where it is one below 2^53, else a
/// floating-point number. So two values are equal exactly where their canonical JSON is.
pub(crate) fn make_doubles(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(double) = as_double(number) {
                *number = double;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_doubles),
        Value::Object(fields) => fields.values_mut().for_each(make_doubles),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The form of a number that is not in it yet.
fn as_double(number: &Number) -> Option<Number> {
    let exact = |integer: u64| integer < FIRST_INEXACT;
    if number.as_u64().is_some_and(exact)
        || number.as_i64().map(i64::unsigned_abs).is_some_and(exact)
    {
        return None;
    }
    let double = number.as_f64()?;
    let limit = 9_007_199_254_740_992.0; // FIRST_INEXACT
    if double.fract() == 0.0 && double.abs() < limit {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is an integer below 2^53"
        )]
        return Some(Number::from(double as i64));
    }
    Number::from_f64(double)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_double_has_one_form() {
        for (given, form) in [
            ("1.0", "1"),
            ("-0.0", "0"),
            ("-7", "-7"),
            ("0.1", "0.1"),
            ("1e3", "1000"),
            ("9007199254740991", "9007199254740991"),
            ("9007199254740992", "9007199254740992.0"),
            ("9007199254740993", "9007199254740992.0"),
            ("-9007199254740993", "-9007199254740992.0"),
            ("18446744073709551615", "1.8446744073709552e+19"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ] {
            let mut value: Value = serde_json::from_str(given).expect("JSON");
            make_doubles(&mut value);
            assert_eq!(value.to_string(), form, "{given}");
        }
    }

    #[test]
    fn numbers_are_found_wherever_they_are() {
        let mut value = json!({"a": [1.0, {"b": -2.0}]});
        make_doubles(&mut value);
        assert_eq!(value, json!({"a": [1, {"b": -2}]}));
    }

    proptest! {
        #[test]
        fn equal_as_values_are_those_that_are_equal_as_canonical_json(
            left in number(),
            right in number(),
        ) {
            let [mut one, mut other] = [left, right];
            make_doubles(&mut one);
            make_doubles(&mut other);
            let canonical = |value| slipway_kernel::digest::canonical_json(value).expect("canonical");
            prop_assert_eq!(one == other, canonical(&one) == canonical(&other));

            let mut again: Value = serde_json::from_slice(&canonical(&one)).expect("JSON");
            make_doubles(&mut again);
            prop_assert_eq!(again, one);
        }
    }

    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            (-3_i32..3).prop_map(|small| Value::from(f64::from(small))),
            (0_u64..4).prop_map(|more| Value::from(FIRST_INEXACT - 2 + more)),
        ]
    }
}
