//! Lists come in pages, and a page ends at a place that the next one starts from (AIP-158, keyset pagination).

/// How many items a page has at most: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u32);

/// A page size below nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is {given}; send 0 for the default of 50, or 1 to 1000")]
pub struct PageSizeError {
    /// What was given.
    pub given: i32,
}

impl PageSize {
    /// What a request without a size gets.
    pub const DEFAULT: Self = Self(50);
    /// What a larger wish is cut to.
    pub const MAX: Self = Self(1_000);

    /// From a request's `page_size`: 0 is the default, above 1,000 is cut to it, negative is refused (AIP-158).
    pub fn from_request(given: i32) -> Result<Self, PageSizeError> {
        match u32::try_from(given) {
            Err(_) => Err(PageSizeError { given }),
            Ok(0) => Ok(Self::DEFAULT),
            Ok(size) => Ok(Self(size.min(Self::MAX.0))),
        }
    }

    /// The number of items.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// One page of a list, and where the next one starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The place after the last item; `None` where the list ends here.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Makes a page of rows that were read with a limit of `size + 1`: the row too many says that there is a next page.
    pub fn from_rows(mut rows: Vec<T>, size: PageSize, place: impl Fn(&T) -> C) -> Self {
        let size = size.get() as usize;
        let next = if rows.len() > size {
            rows.truncate(size);
            rows.last().map(place)
        } else {
            None
        };
        Self { items: rows, next }
    }

    /// The same page with its items turned into something else.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U, C> {
        Page {
            items: self.items.into_iter().map(turn).collect(),
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_aip_158() {
        assert_eq!(PageSize::from_request(0), Ok(PageSize::DEFAULT));
        assert_eq!(PageSize::from_request(7).map(PageSize::get), Ok(7));
        assert_eq!(PageSize::from_request(i32::MAX), Ok(PageSize::MAX));
        assert_eq!(PageSize::from_request(-1), Err(PageSizeError { given: -1 }));
    }

    #[test]
    fn the_row_too_many_becomes_the_next_place() {
        let two = PageSize::from_request(2).expect("valid");
        let page = Page::from_rows(vec![1, 2, 3], two, |n| *n);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(2)));
        let last = Page::from_rows(vec![1, 2], two, |n| *n);
        assert_eq!((last.items, last.next), (vec![1, 2], None));
    }
}
