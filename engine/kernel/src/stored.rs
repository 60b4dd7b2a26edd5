//! [`Stored`]: serialises the items of a memory to plain bytes, and back.
//!
//! ```text
//! "BLND"  version u16  float u8  0    remembered u64  dropped u64   elapsed, Lambda, excess f64   count u32
//! each item:   place u32   serial u64   strength, Lambda, born f64   size u32   bytes of the item
//! FNV-1a of all that, u64                                    numbers are little-endian
//! ```
//!
//! A restored memory is identical to the last bit. FNV-1a maps each byte by a bijection, so a change of any
//! single byte is always detected, and of several except for one in 2^64. Values are checked as well: no input,
//! corrupted or forged, gives a memory with a strength outside (0, 1] or a NaN.

use num_complex::Complex;

use crate::blend::Kept;
use crate::{Blend, BlendConfig, ConfigError, Real};

const MAGIC: &[u8; 4] = b"BLND";
const VERSION: u16 = 1;
const HEAD: usize = 4 + 4 + 5 * 8 + 4;
const ITEM_HEAD: usize = 4 + 8 + 3 * 8 + 4;
const CHECK: usize = 8;

/// Serialisation of an item to bytes.
///
/// ```
/// use becomingone_kernel::Stored;
///
/// /// Place of an event, in metres.
/// #[derive(Debug, PartialEq)]
/// struct Place(f32, f32);
///
/// impl Stored for Place {
///     fn size(&self) -> usize {
///         8
///     }
///
///     fn write(&self, into: &mut [u8]) {
///         let (x, y) = into.split_at_mut(4);
///         x.copy_from_slice(&self.0.to_le_bytes());
///         y.copy_from_slice(&self.1.to_le_bytes());
///     }
///
///     fn read(from: &[u8]) -> Option<Self> {
///         let (x, y) = from.split_at_checked(4)?;
///         let [x, y] = [x.try_into().ok()?, y.try_into().ok()?].map(f32::from_le_bytes);
///         (x.is_finite() && y.is_finite()).then_some(Self(x, y))
///     }
/// }
///
/// let mut bytes = [0; 8];
/// Place(1.5, -2.0).write(&mut bytes);
/// assert_eq!(Place::read(&bytes), Some(Place(1.5, -2.0)));
/// assert_eq!(Place::read(&bytes[..5]), None);
/// ```
pub trait Stored: Sized {
    /// Number of bytes that [`write`](Self::write) needs.
    fn size(&self) -> usize;

    /// Serialises itself into `into`, which has the length [`size`](Self::size).
    fn write(&self, into: &mut [u8]);

    /// Deserialises an item; none if the bytes are invalid.
    fn read(from: &[u8]) -> Option<Self>;
}

/// Error of reading a memory from bytes, or of writing it.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The buffer is too small.
    #[error("buffer of {found} bytes: must be at least {needed}")]
    Room {
        /// Bytes needed.
        needed: usize,
        /// Bytes found.
        found: usize,
    },
    /// The length differs from that of the header.
    #[error("length mismatch: found {found} bytes, expected the length in the header")]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// The file type is another one.
    #[error("not a memory: starts with {found:?}, expected \"BLND\"")]
    Kind {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// Unknown version.
    #[error("version {found}: expected version 1")]
    Version {
        /// The version found.
        found: u16,
    },
    /// Another float type.
    #[error("floats of {found} bytes: expected floats of {needed}")]
    Float {
        /// Bytes per float in the data.
        found: u8,
        /// Bytes per float of this memory.
        needed: u8,
    },
    /// The checksum differs.
    #[error("checksum mismatch: bytes were changed or lost")]
    Checksum,
    /// A number out of its range.
    #[error("item {index}: {name} is out of range")]
    Value {
        /// The item's index; the number of items for a number of the memory itself.
        index: usize,
        /// Its name.
        name: &'static str,
    },
    /// A place that this memory does not have.
    #[error("item in place {slot}: must be below {capacity}")]
    Slot {
        /// The place.
        slot: usize,
        /// The capacity.
        capacity: usize,
    },
    /// An item that cannot be read.
    #[error("item {index} cannot be read")]
    Item {
        /// Its index.
        index: usize,
    },
    /// An invalid configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Bytes to write into, from the front.
pub(crate) struct Pen<'a>(pub(crate) &'a mut [u8]);

impl<'a> Pen<'a> {
    /// The next bytes; fewer where there are no more.
    fn room(&mut self, size: usize) -> &'a mut [u8] {
        let all = core::mem::take(&mut self.0);
        let (now, rest) = all.split_at_mut(size.min(all.len()));
        self.0 = rest;
        now
    }

    pub(crate) fn put<const K: usize>(&mut self, bytes: [u8; K]) {
        for (to, from) in self.room(K).iter_mut().zip(bytes) {
            *to = from;
        }
    }

    pub(crate) fn real<R: Real>(&mut self, x: R) {
        let wide: f64 = x.into();
        self.put(wide.to_le_bytes());
    }

    pub(crate) fn complex<R: Real>(&mut self, z: Complex<R>) {
        self.real(z.re);
        self.real(z.im);
    }
}

/// Bytes to read, from the front.
pub(crate) struct Eye<'a>(pub(crate) &'a [u8]);

impl<'a> Eye<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (now, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(now)
    }

    pub(crate) fn get<const K: usize>(&mut self) -> Option<[u8; K]> {
        self.take(K)?.try_into().ok()
    }

    fn wide(&mut self) -> Option<f64> {
        self.get().map(f64::from_le_bytes)
    }

    /// None for a number that this float cannot hold.
    pub(crate) fn real<R: Real>(&mut self) -> Option<R> {
        let wide = self.wide()?;
        let x = R::of(wide);
        (x.is_finite() && Into::<f64>::into(x) == wide).then_some(x)
    }

    pub(crate) fn complex<R: Real>(&mut self) -> Option<Complex<R>> {
        Some(Complex::new(self.real()?, self.real()?))
    }
}

impl<R: Real, T: Stored, const CAP: usize> Blend<R, T, CAP> {
    /// Bytes that [`save`](Self::save) needs now.
    pub fn stored_size(&self) -> usize {
        let items = self.kept.iter().flatten();
        let items = items.map(|kept| ITEM_HEAD + kept.item.size());
        HEAD + CHECK + items.sum::<usize>()
    }

    /// Serialises the whole memory and returns the written bytes. The configuration is
    /// not included.
    ///
    /// # Errors
    ///
    /// [`StoreError::Room`] for fewer than [`stored_size`](Self::stored_size) bytes, and where an
    /// item or a place is beyond 2^32.
    ///
    /// ```
    /// use becomingone_kernel::{Blend, BlendConfig};
    ///
    /// let config = BlendConfig {
    ///     fading_per_s: 0.01,
    ///     protection: 0.9,
    ///     recall: 0.3,
    ///     forget_below: 0.05,
    /// };
    /// let mut blend = Blend::<f64, u64, 8>::new(config)?;
    /// blend.remember(1204, 1.0);
    /// blend.advance(10.0, Some(0.5));
    ///
    /// let mut bytes = [0; 256];
    /// let saved = blend.save(&mut bytes)?;
    /// assert_eq!(Blend::load(config, saved)?, blend);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn save<'a>(&self, into: &'a mut [u8]) -> Result<&'a [u8], StoreError> {
        let (needed, found) = (self.stored_size(), into.len());
        let too_small = StoreError::Room { needed, found };
        let (whole, _) = into.split_at_mut_checked(needed).ok_or(too_small)?;
        let (body, check) = whole.split_at_mut(needed - CHECK);
        let mut pen = Pen(&mut *body);
        let short = |n: usize| u32::try_from(n).map_err(|_| too_small);
        pen.put(*MAGIC);
        pen.put(VERSION.to_le_bytes());
        pen.put([size_of::<R>() as u8, 0]);
        pen.put(self.remembered.to_le_bytes());
        pen.put(self.dropped.to_le_bytes());
        pen.real(self.elapsed_s);
        pen.real(self.faded);
        pen.real(self.excess);
        pen.put(short(self.kept.iter().flatten().count())?.to_le_bytes());
        for (slot, kept) in self.kept.iter().enumerate() {
            let Some(kept) = kept else { continue };
            pen.put(short(slot)?.to_le_bytes());
            pen.put(kept.serial.to_le_bytes());
            pen.real(kept.strength);
            pen.real(kept.faded);
            pen.real(kept.born_s);
            let size = kept.item.size();
            pen.put(short(size)?.to_le_bytes());
            kept.item.write(pen.room(size));
        }
        Pen(check).put(checksum(body).to_le_bytes());
        Ok(whole)
    }

    /// Restores the memory from these bytes, with this configuration.
    ///
    /// # Errors
    ///
    /// A [`StoreError`] naming the first mismatch.
    pub fn load(config: BlendConfig<R>, bytes: &[u8]) -> Result<Self, StoreError> {
        let mut blend = Self::new(config)?;
        let found = bytes.len();
        let length = StoreError::Length { found };
        let mut eye = Eye(bytes);
        let kind: [u8; 4] = eye.get().ok_or(length)?;
        if kind != *MAGIC {
            return Err(StoreError::Kind { found: kind });
        }
        let version = u16::from_le_bytes(eye.get().ok_or(length)?);
        if version != VERSION {
            return Err(StoreError::Version { found: version });
        }
        let [float, _] = eye.get().ok_or(length)?;
        let (body, check) = found
            .checked_sub(CHECK)
            .and_then(|at| bytes.split_at_checked(at))
            .ok_or(length)?;
        if Eye(check).get().map(u64::from_le_bytes) != Some(checksum(body)) {
            return Err(StoreError::Checksum);
        }
        let needed = size_of::<R>() as u8;
        if float != needed {
            return Err(StoreError::Float {
                found: float,
                needed,
            });
        }
        let mut eye = Eye(body);
        eye.take(8).ok_or(length)?;
        blend.remembered = u64::from_le_bytes(eye.get().ok_or(length)?);
        blend.dropped = u64::from_le_bytes(eye.get().ok_or(length)?);
        if blend.remembered.max(blend.dropped) > u64::MAX / 2 {
            // No run is as long, and counters must not overflow later.
            let name = "counter";
            return Err(StoreError::Value { index: 0, name });
        }
        let [elapsed_s, faded, excess] = [eye.wide(), eye.wide(), eye.wide()];
        let count = u32::from_le_bytes(eye.get().ok_or(length)?) as usize;
        let own = |name, x: Option<f64>, low: f64, high: f64| {
            let whole = x.filter(|x| (low..=high).contains(x));
            whole.ok_or(StoreError::Value { index: count, name })
        };
        blend.elapsed_s = own("elapsed time", elapsed_s, 0.0, f64::MAX)?;
        blend.faded = R::of(own("Lambda", faded, 0.0, 1.0)?);
        blend.excess = R::of(own("compensation", excess, -1.0, 1.0)?);
        let mut next = 0;
        for index in 0..count {
            let slot = u32::from_le_bytes(eye.get().ok_or(length)?) as usize;
            let value = |name| StoreError::Value { index, name };
            if slot < next {
                return Err(value("place"));
            }
            next = slot + 1;
            let serial = u64::from_le_bytes(eye.get().ok_or(length)?);
            if serial >= blend.remembered {
                return Err(value("serial number"));
            }
            let strength: R = eye.real().ok_or(value("strength"))?;
            if !(strength > R::zero() && strength <= R::one()) {
                return Err(value("strength"));
            }
            let faded: R = eye.real().ok_or(value("Lambda"))?;
            if !(faded >= R::zero() && faded <= R::one()) {
                return Err(value("Lambda"));
            }
            let born_s = eye.wide().ok_or(length)?;
            if !(0.0..=blend.elapsed_s).contains(&born_s) {
                return Err(value("time of birth"));
            }
            let size = u32::from_le_bytes(eye.get().ok_or(length)?) as usize;
            let item = T::read(eye.take(size).ok_or(length)?).ok_or(StoreError::Item { index })?;
            let capacity = CAP;
            let place = blend.kept.get_mut(slot);
            *place.ok_or(StoreError::Slot { slot, capacity })? = Some(Kept {
                serial,
                strength,
                faded,
                born_s,
                item,
            });
        }
        if eye.0.is_empty() {
            Ok(blend)
        } else {
            Err(length)
        }
    }
}

/// No bytes: the item has no content.
impl Stored for () {
    fn size(&self) -> usize {
        0
    }

    fn write(&self, _: &mut [u8]) {}

    fn read(from: &[u8]) -> Option<Self> {
        from.is_empty().then_some(())
    }
}

macro_rules! plain {
    ($($number:ty),*) => {$(
        impl Stored for $number {
            fn size(&self) -> usize {
                size_of::<Self>()
            }

            fn write(&self, into: &mut [u8]) {
                Pen(into).put(self.to_le_bytes());
            }

            fn read(from: &[u8]) -> Option<Self> {
                from.try_into().ok().map(Self::from_le_bytes)
            }
        }
    )*};
}

plain!(u8, u16, u32, u64, i32, i64);
