//! Who is told of beside the one who is named: who holds more and did not grow into the failure, and who holds nearly as much.

use super::holders::Pattern;
use super::images::ImageOutcome;
use super::outcome::{HolderOutcome, Look, PoolOutcome};
use super::suspect::is_nearly_as_much;

/// A process or all processes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Index into the holders.
    Holder(usize),
    /// Index into the images.
    Image(usize),
}

/// Who is told of beside a holder or an image, where that is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// Beside a leak, and who grew over listings: who holds more, and did not grow into the failure.
    pub plateau: Option<Other>,
    /// Who has nearly as much: beside a process an image, and beside an image a process that leaks.
    pub alike: Option<Other>,
}

/// That of each holder and of each image.
#[derive(Debug, Default)]
pub struct AllBeside {
    /// One for each holder.
    pub holders: Vec<Beside>,
    /// One for each image.
    pub images: Vec<Beside>,
}

/// Who holds less than this part of a pool (one in four) has little: then whoever took more early is told too.
const SMALL_SHARE: u32 = 4;

/// Who is told of beside each.
pub(super) fn beside(pools: &[PoolOutcome], holders: &[HolderOutcome], images: &[ImageOutcome]) -> AllBeside {
    let all = Holding { pools, holders, images };
    let of_holder = |(index, row): (usize, &HolderOutcome)| Beside {
        plateau: all.plateau(row.holder.pool, row.holder.ports).filter(|_| {
            let leaks = row.holder.pattern == Some(Pattern::Leak) && !row.is_listed_so();
            leaks || row.holder.grew_in_listings.is_some()
        }),
        alike: all.image_like(index, row),
    };
    let of_image = |image: &ImageOutcome| Beside {
        plateau: all.plateau(image.pool, image.ports).filter(|_| image.pattern == Some(Pattern::Leak)),
        alike: all.holder_like(image),
    };
    AllBeside {
        holders: holders.iter().enumerate().map(of_holder).collect(),
        images: images.iter().map(of_image).collect(),
    }
}

/// All who hold ports.
struct Holding<'a> {
    pools: &'a [PoolOutcome],
    holders: &'a [HolderOutcome],
    images: &'a [ImageOutcome],
}

impl Holding<'_> {
    /// Beside so many ports of a pool, who holds more and did not grow; of those whose pattern says so, beside a small part.
    fn plateau(&self, pool: usize, ports: u32) -> Option<Other> {
        let count = self.pools.get(pool)?.finding.range.count;
        let is_small = ports.saturating_mul(SMALL_SHARE) < count;
        let holds_more = |other: usize, held: u32| other == pool && held > ports;
        let keeps = |row: &HolderOutcome| {
            (is_small && matches!(row.look, Look::Steady | Look::DnsPool)) || row.holder.at_rest.is_some()
        };
        let mut holders = self.holders.iter().enumerate();
        let holder = holders.find(|(_, row)| keeps(row) && holds_more(row.holder.pool, row.holder.ports));
        let images = self.images.iter().enumerate().filter(|(_, image)| {
            is_small && image.pattern == Some(Pattern::Steady) && holds_more(image.pool, image.ports)
        });
        let image = images.max_by_key(|(_, image)| image.ports);
        match (holder, image) {
            (Some((index, row)), image) if image.is_none_or(|(_, image)| image.ports <= row.holder.ports) => {
                Some(Other::Holder(index))
            }
            (_, image) => image.map(|(index, _)| Other::Image(index)),
        }
    }

    /// The image that has nearly as much as a process of another image.
    fn image_like(&self, index: usize, named: &HolderOutcome) -> Option<Other> {
        let is_it = |image: &ImageOutcome| {
            image.pool == named.holder.pool
                && may_leak(image.pattern)
                && is_nearly_as_much(named.holder.ports, image.ports)
                && !image.holders.contains(&index)
        };
        let found = self.images.iter().position(is_it).filter(|_| may_leak(named.holder.pattern));
        found.map(Other::Image)
    }

    /// The process that leaks nearly as much as an image of others.
    fn holder_like(&self, named: &ImageOutcome) -> Option<Other> {
        let is_it = |(index, row): &(usize, &HolderOutcome)| {
            row.holder.pool == named.pool
                && row.holder.pattern == Some(Pattern::Leak)
                && is_nearly_as_much(named.ports, row.holder.ports)
                && !named.holders.contains(index)
        };
        let found = self.holders.iter().enumerate().find(is_it).filter(|_| may_leak(named.pattern));
        found.map(|(index, _)| Other::Holder(index))
    }
}

/// Whether nothing says that it does not leak.
fn may_leak(pattern: Option<Pattern>) -> bool {
    matches!(pattern, Some(Pattern::Leak) | None)
}
