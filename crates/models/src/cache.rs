//! The keys and values of one sequence, in blocks of 64 positions that sequences may share.
//!
//! Invariants: a cache belongs to one sequence and never to a model; `fork` shares full blocks and copies
//! at most one partial block; a block that two caches share is never written (the writer copies it first).

use std::collections::HashSet;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use simd_matmul::Lines;

use crate::ModelError;

/// Positions in one block.
pub(crate) const BLOCK: usize = simd_matmul::BLOCK;

/// Widths of what one position leaves in the cache, the same in every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Layers that keep keys and values.
    pub layers: usize,
    /// Heads that keys and values are kept for.
    pub heads: usize,
    /// Entries of one head's key.
    pub key: usize,
    /// Entries of one head's value; none where values are read out of keys.
    pub value: usize,
    /// How entries are stored.
    pub entry: CacheType,
}

/// How a cache stores its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CacheType {
    /// 32-bit floats: what was computed is what is read back.
    #[default]
    F32,
    /// 16-bit floats: half the memory, about three decimal digits.
    F16,
}

impl CacheType {
    fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
        }
    }

    /// Bytes of one entry.
    fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// Keys and values of the positions that a sequence has run so far.
///
/// A cheap handle: dropping it frees the blocks that no other cache shares.
#[derive(Debug)]
pub struct KvCache {
    len: usize,
    store: Option<Store>,
    /// The tokens behind the positions, for a model that keeps its state elsewhere and has to know them again.
    tokens: Option<Vec<u32>>,
}

#[derive(Clone, Debug)]
struct Store {
    layout: Layout,
    place: Place,
    blocks: Vec<Arc<Block>>,
}

/// Where blocks lie.
#[derive(Clone, Debug)]
enum Place {
    /// In tensors of a device.
    Device(Device),
    /// In memory that kernels read and write.
    Memory,
}

/// 64 positions of every layer.
#[derive(Debug)]
enum Block {
    Tensors(Vec<LayerBlock>),
    /// For each layer and head its keys, transposed, and then its values; rows of values are filled up to whole vectors.
    /// Where values are read out of keys, keys lie as values do.
    Memory(Lines),
}

/// Head-major tensors: `key` has the shape `(heads, 64, key)`, `value` has `(heads, 64, value)`.
#[derive(Debug)]
struct LayerBlock {
    key: Tensor,
    value: Option<Tensor>,
}

impl KvCache {
    /// A cache that only counts positions: for a model that keeps its state elsewhere.
    pub fn counting() -> Self {
        Self {
            len: 0,
            store: None,
            tokens: None,
        }
    }

    /// A cache of the tokens alone: for a model that keeps its state elsewhere and checks whose it is.
    #[cfg(feature = "borrowed")]
    pub(crate) fn remembering() -> Self {
        Self {
            tokens: Some(Vec::new()),
            ..Self::counting()
        }
    }

    /// The tokens of a cache that remembers them.
    #[cfg(feature = "borrowed")]
    pub(crate) fn tokens(&self) -> Result<&[u32], ModelError> {
        match (&self.tokens, &self.store) {
            (Some(tokens), _) if tokens.len() == self.len => Ok(tokens),
            (Some(tokens), _) => Err(ModelError::ForeignCache {
                found: format!("{} tokens and {} positions", tokens.len(), self.len),
                needed: "a token for each position".into(),
            }),
            (None, store) => Err(ModelError::ForeignCache {
                found: store
                    .as_ref()
                    .map_or("counting only".into(), |s| format!("{:?}", s.layout)),
                needed: "tokens".into(),
            }),
        }
    }

    /// Appends tokens that a model has run, and counts them as held.
    #[cfg(feature = "borrowed")]
    pub(crate) fn remember(&mut self, tokens: &[u32]) {
        if let Some(known) = &mut self.tokens {
            known.extend_from_slice(tokens);
        }
        self.advance(tokens.len());
    }

    /// An empty cache of tensors on `device`.
    pub(crate) fn on(device: &Device, layout: Layout) -> Self {
        Self::in_place(Place::Device(device.clone()), layout)
    }

    /// An empty cache in memory.
    pub(crate) fn in_memory(layout: Layout) -> Self {
        Self::in_place(Place::Memory, layout)
    }

    fn in_place(place: Place, layout: Layout) -> Self {
        Self {
            len: 0,
            store: Some(Store {
                layout,
                place,
                blocks: Vec::new(),
            }),
            tokens: None,
        }
    }

    /// How entries are stored, where this cache stores any.
    pub(crate) fn entry(&self) -> Option<CacheType> {
        self.store.as_ref().map(|store| store.layout.entry)
    }

    /// Keys and values of a head in one block of a cache in memory; empty where there are none.
    pub(crate) fn block(&self, layer: usize, head: usize, index: usize) -> (&[u8], &[u8]) {
        let found = self.store.as_ref().and_then(|store| {
            let Block::Memory(lines) = store.blocks.get(index)?.as_ref() else {
                return None;
            };
            let (at, keys, values) = store.layout.place(layer, head);
            let bytes = lines.bytes().get(at..at + keys + values)?;
            Some(bytes.split_at(keys))
        });
        found.unwrap_or_default()
    }

    /// Keys and values of all heads of a layer in a block that [`KvCache::reserve`] has made this cache's own: for each head
    /// its keys, and then its values.
    ///
    /// # Errors
    ///
    /// [`ModelError::ForeignCache`] if the cache is not in memory, or the block is not its own.
    pub(crate) fn block_mut(&mut self, layer: usize, index: usize) -> Result<&mut [u8], ModelError> {
        let found = self.store.as_mut().and_then(|store| {
            let (from, to) = (store.layout.place(layer, 0).0, store.layout.place(layer + 1, 0).0);
            let Block::Memory(lines) = Arc::get_mut(store.blocks.get_mut(index)?)? else {
                return None;
            };
            lines.bytes_mut().get_mut(from..to)
        });
        found.ok_or_else(|| ModelError::ForeignCache {
            found: "a block that is shared, or no block in memory".into(),
            needed: "a block of its own".into(),
        })
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no position is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Counts `positions` more as held, after a model has written them.
    ///
    /// Models call this at the end of a forward pass, once for each sequence, so that a failed pass leaves
    /// the length as it was.
    pub fn advance(&mut self, positions: usize) {
        self.len += positions;
    }

    /// Forgets every position from `len` on; does nothing if fewer are held.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.len = len;
        if let Some(store) = &mut self.store {
            store.blocks.truncate(len.div_ceil(BLOCK));
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.truncate(len);
        }
    }

    /// A second cache that holds the first `prefix` positions.
    ///
    /// Full blocks are shared; a partial last block is copied.
    ///
    /// # Errors
    ///
    /// * [`ModelError::PrefixTooLong`] if fewer than `prefix` positions are held.
    /// * [`ModelError::Tensor`] if the device cannot copy the partial block.
    pub fn fork(&self, prefix: usize) -> Result<KvCache, ModelError> {
        if prefix > self.len {
            return Err(ModelError::PrefixTooLong {
                prefix,
                len: self.len,
            });
        }
        let store = self.store.as_ref().map(|store| store.fork(prefix)).transpose()?;
        let mut tokens = self.tokens.clone();
        if let Some(tokens) = &mut tokens {
            tokens.truncate(prefix);
        }
        Ok(Self {
            len: prefix,
            store,
            tokens,
        })
    }

    /// Bytes of the blocks that this cache holds on to, those that it shares included; none for a model that keeps
    /// keys and values elsewhere.
    pub fn bytes(&self) -> usize {
        self.store
            .as_ref()
            .map_or(0, |store| store.blocks.len() * store.block_bytes())
    }

    /// Bytes that this cache would hold on to with so many positions, the same for every cache of a model.
    pub fn bytes_for(&self, positions: usize) -> usize {
        self.store.as_ref().map_or(0, |store| {
            positions.div_ceil(BLOCK).saturating_mul(store.block_bytes())
        })
    }

    /// Bytes of the blocks that these caches hold on to, each block counted once however many share it.
    pub fn bytes_together<'c>(caches: impl IntoIterator<Item = &'c KvCache>) -> usize {
        let mut counted = HashSet::new();
        let stores = caches.into_iter().filter_map(|cache| cache.store.as_ref());
        let own = |store: &Store| {
            let new = store
                .blocks
                .iter()
                .filter(|block| counted.insert(Arc::as_ptr(block)))
                .count();
            new * store.block_bytes()
        };
        stores.map(own).sum()
    }

    /// Makes room for `new` positions after the held ones; call before [`KvCache::write`].
    ///
    /// # Errors
    ///
    /// [`ModelError::ForeignCache`] if the cache was made for another layout; [`ModelError::Tensor`] if the
    /// device has no memory.
    pub(crate) fn reserve(&mut self, layout: &Layout, new: usize) -> Result<(), ModelError> {
        let len = self.len;
        let store = match &mut self.store {
            Some(store) if store.layout == *layout => store,
            other => {
                let found = other
                    .as_ref()
                    .map_or("counting only".into(), |s| format!("{:?}", s.layout));
                return Err(ModelError::ForeignCache {
                    found,
                    needed: format!("{layout:?}"),
                });
            }
        };
        store.reserve(len, new)
    }

    /// Writes the keys `(heads, new, key)` and values `(heads, new, value)` of one layer behind the held
    /// positions and returns all of them so far as f32, `(heads, len + new, key)` and `(heads, len + new, value)`.
    pub(crate) fn write(
        &mut self,
        layer: usize,
        key: &Tensor,
        value: Option<&Tensor>,
    ) -> Result<(Tensor, Option<Tensor>), ModelError> {
        let len = self.len;
        match &mut self.store {
            Some(store) if matches!(store.place, Place::Device(_)) => {
                let keys = store.write(layer, len, key, |block| Some(&block.key))?;
                let values = value.map(|value| store.write(layer, len, value, |block| block.value.as_ref()));
                Ok((keys, values.transpose()?))
            }
            _ => Err(ModelError::ForeignCache {
                found: "no tensors".into(),
                needed: "tensors".into(),
            }),
        }
    }
}

impl Layout {
    /// Bytes of one block of 64 positions.
    pub(crate) fn block_bytes(&self) -> usize {
        BLOCK * self.position_bytes()
    }

    /// Bytes that one position takes.
    pub(crate) fn position_bytes(&self) -> usize {
        self.layers * self.heads * (self.key + self.value) * self.entry.bytes()
    }

    /// In a block in memory, where a head's keys begin, and the bytes of its keys and of its values.
    fn place(&self, layer: usize, head: usize) -> (usize, usize, usize) {
        let filled = |width: usize| BLOCK * width.next_multiple_of(simd_matmul::LANES) * self.entry.bytes();
        let (keys, values) = match self.value {
            0 => (filled(self.key), 0),
            value => (BLOCK * self.key * self.entry.bytes(), filled(value)),
        };
        ((layer * self.heads + head) * (keys + values), keys, values)
    }

    /// Bytes of a block in memory.
    fn memory_bytes(&self) -> usize {
        self.place(self.layers, 0).0
    }
}

impl Store {
    fn fork(&self, prefix: usize) -> Result<Store, ModelError> {
        let full = prefix / BLOCK;
        let mut blocks: Vec<_> = self.blocks[..full].to_vec();
        if !prefix.is_multiple_of(BLOCK) {
            blocks.push(Arc::new(self.blocks[full].copy()?));
        }
        Ok(Store {
            layout: self.layout,
            place: self.place.clone(),
            blocks,
        })
    }

    fn block_bytes(&self) -> usize {
        match self.place {
            Place::Device(_) => self.layout.block_bytes(),
            Place::Memory => self.layout.memory_bytes(),
        }
    }

    fn reserve(&mut self, len: usize, new: usize) -> Result<(), ModelError> {
        // The block that the next position falls into may be shared if this cache was truncated into it.
        if !len.is_multiple_of(BLOCK)
            && let Some(block) = self.blocks.get_mut(len / BLOCK)
            && Arc::get_mut(block).is_none()
        {
            *block = Arc::new(block.copy()?);
        }
        self.blocks.truncate(len.div_ceil(BLOCK));
        while self.blocks.len() * BLOCK < len + new {
            self.blocks
                .push(Arc::new(Block::zeros(&self.layout, &self.place)?));
        }
        Ok(())
    }

    /// Writes one side of one layer behind `len` positions and returns all of that side.
    fn write(
        &self,
        layer: usize,
        len: usize,
        entries: &Tensor,
        side: impl Fn(&LayerBlock) -> Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let entries = entries.to_dtype(self.layout.entry.dtype())?;
        let (new, total) = (entries.dim(1)?, len + entries.dim(1)?);
        let blocks: Vec<&Tensor> = self.blocks[..total.div_ceil(BLOCK)]
            .iter()
            .filter_map(|block| match block.as_ref() {
                Block::Tensors(layers) => side(&layers[layer]),
                Block::Memory(_) => None,
            })
            .collect();
        let mut done = 0;
        while done < new {
            let (at, offset) = ((len + done) / BLOCK, (len + done) % BLOCK);
            let take = (BLOCK - offset).min(new - done);
            blocks[at].slice_set(&entries.narrow(1, done, take)?.contiguous()?, 1, offset)?;
            done += take;
        }
        Tensor::cat(&blocks, 1)?.narrow(1, 0, total)?.to_dtype(DType::F32)
    }
}

impl Block {
    fn zeros(layout: &Layout, place: &Place) -> candle_core::Result<Self> {
        let device = match place {
            Place::Device(device) => device,
            Place::Memory => return Ok(Self::Memory(Lines::zeros(layout.memory_bytes()))),
        };
        let side = |width| Tensor::zeros((layout.heads, BLOCK, width), layout.entry.dtype(), device);
        let layer = |_| {
            let value = (layout.value > 0).then(|| side(layout.value)).transpose()?;
            Ok(LayerBlock {
                key: side(layout.key)?,
                value,
            })
        };
        Ok(Self::Tensors(
            (0..layout.layers)
                .map(layer)
                .collect::<candle_core::Result<_>>()?,
        ))
    }

    fn copy(&self) -> candle_core::Result<Self> {
        let layers = match self {
            Self::Memory(lines) => return Ok(Self::Memory(lines.clone())),
            Self::Tensors(layers) => layers,
        };
        let layer = |l: &LayerBlock| {
            let value = l.value.as_ref().map(Tensor::copy).transpose()?;
            Ok(LayerBlock {
                key: l.key.copy()?,
                value,
            })
        };
        Ok(Self::Tensors(
            layers.iter().map(layer).collect::<candle_core::Result<_>>()?,
        ))
    }
}
