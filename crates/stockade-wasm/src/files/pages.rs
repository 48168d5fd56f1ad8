//! [`Pages`]: the bytes of a file in memory. What was never written takes no space.

use std::collections::BTreeMap;

/// Bytes of a page, the unit that is counted.
pub(super) const PAGE: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Pages {
    size: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

/// The number of a page, and the place in it.
fn locate(offset: u64) -> (u64, usize) {
    (offset / PAGE as u64, (offset % PAGE as u64) as usize)
}

impl Pages {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn bytes_held(&self) -> u64 {
        (self.pages.len() * PAGE) as u64
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let left = self.size.saturating_sub(offset);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        let mut done = 0;
        while done < len {
            let (number, start) = locate(offset + done as u64);
            let part = (PAGE - start).min(len - done);
            let room = &mut into[done..done + part];
            match self.pages.get(&number) {
                Some(page) => room.copy_from_slice(&page[start..start + part]),
                None => room.fill(0),
            }
            done += part;
        }
        len
    }

    /// Writes as much as `take` grants pages for, and says how much that was. The end of the
    /// bytes must be a number.
    pub(super) fn write<E>(
        &mut self,
        offset: u64,
        bytes: &[u8],
        mut take: impl FnMut() -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut done = 0;
        while done < bytes.len() {
            let (number, start) = locate(offset + done as u64);
            let part = (PAGE - start).min(bytes.len() - done);
            let page = match self.pages.get_mut(&number) {
                Some(page) => page,
                None => match take() {
                    Ok(()) => self.pages.entry(number).or_insert_with(|| Box::new([0; PAGE])),
                    Err(error) if done == 0 => return Err(error),
                    Err(_) => break,
                },
            };
            page[start..start + part].copy_from_slice(&bytes[done..done + part]);
            done += part;
        }
        if done > 0 {
            self.size = self.size.max(offset + done as u64);
        }
        Ok(done)
    }

    /// Cuts or extends; says how many bytes were given back.
    pub(super) fn resize(&mut self, size: u64) -> u64 {
        let before = self.bytes_held();
        if size < self.size {
            let (number, start) = locate(size);
            if start > 0
                && let Some(page) = self.pages.get_mut(&number)
            {
                page[start..].fill(0);
            }
            self.pages.split_off(&size.div_ceil(PAGE as u64));
        }
        self.size = size;
        before - self.bytes_held()
    }
}
