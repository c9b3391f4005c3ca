//! Cutting texts.

/// A text's first characters, with `…` behind them where there are more than `most`.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Two texts, each cut to at most `most` characters around the first place where they differ, so that a reader sees
/// how. What was left out is marked by `…`.
pub(crate) fn cut_around_difference(before: &str, after: &str, most: usize) -> (String, String) {
    let same = before.chars().zip(after.chars());
    let same = same.take_while(|(one, other)| one == other).count();
    let lead = most / 4;
    // What fits is shown whole; else some of what is the same leads up to the difference.
    let skip = |text: &str| {
        if text.chars().nth(most).is_none() {
            0
        } else {
            same.saturating_sub(lead)
        }
    };
    (
        cut_from(before, skip(before), most),
        cut_from(after, skip(after), most),
    )
}

fn cut_from(text: &str, skip: usize, most: usize) -> String {
    let start = text.char_indices().nth(skip).map_or(text.len(), |at| at.0);
    let shown = cut(&text[start..], most);
    if start == 0 {
        shown
    } else {
        format!("…{shown}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_whole() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöü!", 3), "äöü…");
        let (before, after) = cut_around_difference("same, one", "same, other", 20);
        assert_eq!(
            (before.as_str(), after.as_str()),
            ("same, one", "same, other")
        );
    }

    #[test]
    fn a_late_difference_is_shown() {
        let (before, after) = cut_around_difference("ääääääääää1", "ääääääääää2ääääääääää", 8);
        assert_eq!((before.as_str(), after.as_str()), ("…ää1", "…ää2äääää…"));
        let (before, after) = cut_around_difference("aaaaaaaaaa", "aaaaaaaaaab", 8);
        assert_eq!((before.as_str(), after.as_str()), ("…aa", "…aab"));
    }
}
