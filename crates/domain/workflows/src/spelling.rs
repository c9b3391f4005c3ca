//! Keys that stand for nothing, and what was probably meant by them.

use std::collections::BTreeMap;

use slipway_kernel::Key;

/// The keys that there are, by everything that people may take for a key.
#[derive(Debug, Default)]
pub struct Spellings<'k>(BTreeMap<String, &'k Key>);

impl<'k> Spellings<'k> {
    /// Of these keys, each with other names of its workflow: what the engine calls it, what people call it.
    pub fn new(known: impl IntoIterator<Item = (&'k Key, [&'k str; 2])>) -> Self {
        let mut spelt = BTreeMap::new();
        for (key, [id, name]) in known {
            let file = id.rsplit('/').next().unwrap_or(id);
            for text in [key.as_str(), id, file, name] {
                spelt.entry(bare(text)).or_insert(key);
            }
        }
        Self(spelt)
    }

    /// What to add behind a key that stands for nothing: a question, or nothing.
    pub fn hint(&self, key: &Key) -> String {
        let bare = bare(key.as_str());
        let meant = self.0.get(&bare).filter(|_| !bare.is_empty());
        meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
    }
}

/// Letters and digits, without case.
fn bare(text: &str) -> String {
    let stays = text.chars().filter(|c| c.is_alphanumeric());
    stays.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_a_file_or_a_name_stands_for_its_key() {
        let key = |text: &str| text.parse::<Key>().expect("a key");
        let (creator, sync) = (key("Content-Creator"), key("sync-1a2b3c4d"));
        let known = [
            (&creator, ["shop/Content_Creator", "Content: Creator"]),
            (&sync, ["xY7", "Sync"]),
        ];
        let spellings = Spellings::new(known);
        for (given, meant) in [
            ("Content_Creator", &creator),
            ("content.creator", &creator),
            ("shop-Content_Creator", &creator),
            ("xY7", &sync),
            ("SYNC", &sync),
        ] {
            let question = format!("; did you mean `{meant}`?");
            assert_eq!(spellings.hint(&key(given)), question, "{given}");
        }
        for given in ["Content", "-"] {
            assert_eq!(spellings.hint(&key(given)), "", "{given}");
        }
    }
}
