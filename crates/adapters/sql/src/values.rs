//! The values of a statement whose text grows with what is asked for.

use sea_orm::Value;

/// The values of a statement's placeholders, in their order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Values(Vec<Value>);

impl Values {
    /// Adds a value and answers with its placeholder.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds several values and answers with their placeholders, separated by commas.
    pub(crate) fn bind_all<V: Into<Value>>(
        &mut self,
        values: impl IntoIterator<Item = V>,
    ) -> String {
        let placeholders: Vec<_> = values.into_iter().map(|value| self.bind(value)).collect();
        placeholders.join(", ")
    }
}

impl IntoIterator for Values {
    type Item = Value;
    type IntoIter = std::vec::IntoIter<Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
