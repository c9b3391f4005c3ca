//! Pages whose items may be large.

use prost::Message;
use slipway_kernel::Page;

/// What an item costs in its list beside its own bytes: its tag and its length.
const OVERHEAD: usize = 8;

/// As much of a page as fits into `limit` bytes, as messages: it ends early where it must, and goes on behind its last
/// item. One item always fits.
pub(super) fn fitting<T, M: Message, C>(
    page: Page<T, C>,
    limit: usize,
    place: impl Fn(&T) -> C,
    show: impl Fn(T) -> M,
) -> Page<M, C> {
    let mut items = Vec::with_capacity(page.items.len());
    let mut bytes = 0;
    let mut last = None;
    for item in page.items {
        let here = place(&item);
        let message = show(item);
        bytes += message.encoded_len() + OVERHEAD;
        if bytes > limit && last.is_some() {
            return Page { items, next: last };
        }
        items.push(message);
        last = Some(here);
    }
    Page {
        items,
        next: page.next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_it_grows_too_large_and_never_empty() {
        let page = |next| Page {
            items: vec![100_usize, 200, 300],
            next,
        };
        let show = |length: usize| vec![1_u8; length];
        let place = |length: &usize| *length;
        let short = fitting(page(Some(300)), 400, place, show);
        assert_eq!((short.items.len(), short.next), (2, Some(200)));
        let one = fitting(page(None), 10, place, show);
        assert_eq!((one.items.len(), one.next), (1, Some(100)));
        let whole = fitting(page(None), 1_000, place, show);
        assert_eq!((whole.items.len(), whole.next), (3, None));
    }
}
