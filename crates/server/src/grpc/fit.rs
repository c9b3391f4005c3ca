//! Pages of large items end early, before they exceed what clients accept.

use prost::Message;
use slipway_kernel::Page;

/// How large the items of a page may be together, in bytes: what most clients accept (4 MiB) less room for the page's
/// token and the frame.
const MAX_PAGE: usize = 4 * 1024 * 1024 - 16 * 1024;
/// The most that a field's number and length take, in bytes.
const FRAME: usize = 8;

/// Cuts a page behind the last item that fits; it then goes on at that item's place. The first item always stays.
pub(super) fn fit<M: Message, C>(page: Page<(M, C), C>) -> Page<M, C> {
    let mut items = Vec::with_capacity(page.items.len());
    let mut last = None;
    let mut size = 0;
    for (message, place) in page.items {
        size += message.encoded_len() + FRAME;
        if size > MAX_PAGE && last.is_some() {
            return Page { items, next: last };
        }
        items.push(message);
        last = Some(place);
    }
    Page {
        items,
        next: page.next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sizes: &[usize], next: Option<usize>) -> Page<(String, usize), usize> {
        let items = sizes.iter().enumerate();
        Page {
            items: items.map(|(at, size)| ("x".repeat(*size), at)).collect(),
            next,
        }
    }

    #[test]
    fn a_page_ends_before_the_item_that_does_not_fit() {
        let mib = 1024 * 1024;
        let fitting = fit(page(&[1, 2, 3], Some(9)));
        assert_eq!((fitting.items.len(), fitting.next), (3, Some(9)));
        let cut = fit(page(&[2 * mib, mib, mib, 1], None));
        assert_eq!((cut.items.len(), cut.next), (2, Some(1)));
        let alone = fit(page(&[5 * mib, 1], None));
        assert_eq!((alone.items.len(), alone.next), (1, Some(0)));
    }
}
