//! One tensor of a model, still in its stored form and decoded to f32 on demand.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::ModelError;
use crate::gguf::{GgufFile, TensorInfo, TensorKind};
use crate::mapping::Mapping;
use crate::quant::BlockType;
use crate::safetensors::{Element, SafetensorInfo, SafetensorsSet};

/// Bytes of a file that the system maps together, at most.
const TOGETHER: usize = 4 << 20;

/// A tensor in a mapped file; cheap to keep, since the bytes stay where they are.
#[derive(Clone, Debug)]
pub(crate) struct Weight {
    map: Arc<Mapping>,
    bytes: Range<usize>,
    /// Outermost first: `(rows, columns)` for a matrix.
    shape: Vec<usize>,
    encoding: Encoding,
}

#[derive(Clone, Debug)]
enum Encoding {
    Blocks(BlockType),
    /// 8-bit floats (e4m3), each times the scale of its tile.
    Tiles(Tiles),
}

/// Scales of square tiles, shape `(rows / height, columns / width)`, rounded up.
#[derive(Clone, Debug)]
struct Tiles {
    scales: Arc<[f32]>,
    height: usize,
    width: usize,
}

impl Weight {
    /// A tensor of a GGUF file, whose block type must have a decoder.
    pub(crate) fn of_gguf(file: &GgufFile, tensor: &TensorInfo) -> Result<Self, ModelError> {
        let TensorKind::Known(block) = tensor.kind else {
            // Asking for the bytes of an unknown kind is the error that names it.
            file.bytes(tensor)?;
            return Err(ModelError::missing_tensor(&tensor.name));
        };
        let (map, bytes) = file.place(tensor)?;
        Ok(Self {
            map,
            bytes,
            shape: tensor.shape.clone(),
            encoding: Encoding::Blocks(block),
        })
    }

    /// A tensor of a safetensors set; one of 8-bit floats brings the scales that stand beside it.
    ///
    /// * `tile`: rows and columns that share a scale.
    pub(crate) fn of_safetensors(
        set: &SafetensorsSet,
        tensor: &SafetensorInfo,
        tile: [usize; 2],
    ) -> Result<Self, ModelError> {
        let (map, bytes) = set.place(tensor)?;
        let encoding = match &tensor.element {
            Element::F32 => Encoding::Blocks(BlockType::F32),
            Element::F16 => Encoding::Blocks(BlockType::F16),
            Element::Bf16 => Encoding::Blocks(BlockType::BF16),
            Element::Unknown(kind) => {
                let (tensor, element) = (tensor.name.clone(), kind.clone());
                return Err(ModelError::UnknownElement { tensor, element });
            }
            Element::F8E4M3 => Encoding::Tiles(Tiles::beside(set, tensor, tile)?),
        };
        Ok(Self {
            map,
            bytes,
            shape: tensor.shape.clone(),
            encoding,
        })
    }

    /// Whether [`Weight::of_safetensors`] can succeed; reads headers alone.
    pub(crate) fn check_safetensors(
        set: &SafetensorsSet,
        tensor: &SafetensorInfo,
        tile: [usize; 2],
    ) -> Result<(), ModelError> {
        set.bytes(tensor)?;
        match tensor.element {
            Element::F8E4M3 => Tiles::stored_beside(set, tensor, tile).map(drop),
            _ => Ok(()),
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The block type, of a tensor that is stored in blocks.
    pub(crate) fn block(&self) -> Option<BlockType> {
        match &self.encoding {
            Encoding::Blocks(block) => Some(*block),
            Encoding::Tiles(_) => None,
        }
    }

    /// The bytes in the file.
    pub(crate) fn stored(&self) -> &[u8] {
        self.map.bytes().get(self.bytes.clone()).unwrap_or_default()
    }

    /// The file that it stands in, and its first byte there.
    pub(crate) fn place(&self) -> (&Path, usize) {
        (self.map.path(), self.bytes.start)
    }

    /// Gives the pages of a range of its bytes back, after the weights in it have been copied.
    pub(crate) fn release(&self, range: Range<usize>) {
        let start = self.bytes.start;
        self.map.release(start + range.start..start + range.end);
    }

    /// Gives all pages back that may have come with its own: the system maps at once what it has read together.
    pub(crate) fn release_around(&self) {
        let (start, end) = (self.bytes.start / TOGETHER, self.bytes.end.div_ceil(TOGETHER));
        self.map.release(start * TOGETHER..end * TOGETHER);
    }

    /// Bytes in the file.
    pub(crate) fn stored_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Entries of one row.
    pub(crate) fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows of all matrices together.
    pub(crate) fn rows(&self) -> usize {
        let (_, outer) = self.shape.split_last().unwrap_or((&1, &[]));
        outer.iter().product()
    }

    /// Matrix `part` of a stack of `(parts, rows, columns)`.
    pub(crate) fn part(&self, part: usize) -> Weight {
        let (parts, shape) = self.shape.split_first().unwrap_or((&1, &[]));
        let len = self.bytes.len() / (*parts).max(1);
        let start = self.bytes.start + part * len;
        Self {
            bytes: start..start + len,
            shape: shape.to_vec(),
            ..self.clone()
        }
    }

    /// All weights, row-major.
    pub(crate) fn dequantize(&self) -> Result<Vec<f32>, ModelError> {
        let mut out = vec![0.0; self.rows() * self.columns()];
        self.dequantize_rows(0..self.rows(), &mut out)?;
        Ok(out)
    }

    /// Some rows into `out`, shape `(rows, columns)`.
    ///
    /// Rows start at block borders, which the reader of the file has checked.
    pub(crate) fn dequantize_rows(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), ModelError> {
        let place = self.place_of(&rows)?;
        let bytes = self.map.bytes().get(place).unwrap_or_default();
        self.decode(bytes, rows.start, out)
    }

    /// One row, as [`Weight::dequantize_rows`], without the pages around it: a table of which a few rows are looked up would
    /// come into memory whole.
    ///
    /// * `buffer`: for the row as it is stored.
    pub(crate) fn look_up(
        &self,
        row: usize,
        buffer: &mut Vec<u8>,
        out: &mut [f32],
    ) -> Result<(), ModelError> {
        let place = self.place_of(&(row..row + 1))?;
        self.decode(self.map.few(place, buffer)?, row, out)
    }

    /// Where rows stand in the file.
    fn place_of(&self, rows: &Range<usize>) -> Result<Range<usize>, ModelError> {
        let (count, first) = (self.rows(), self.bytes.start);
        if rows.end > count {
            return Err(ModelError::TokenOutOfVocabulary {
                token: rows.start as u32,
                vocab: count,
            });
        }
        let stride = self.bytes.len() / count.max(1);
        Ok(first + rows.start * stride..first + rows.end * stride)
    }

    /// The weights of rows from number `first` on.
    fn decode(&self, bytes: &[u8], first: usize, out: &mut [f32]) -> Result<(), ModelError> {
        match &self.encoding {
            Encoding::Blocks(block) => block.dequantize(bytes, out),
            Encoding::Tiles(tiles) => {
                tiles.dequantize(bytes, first, self.columns(), out);
                Ok(())
            }
        }
    }
}

impl Tiles {
    /// The scales of `tensor`, which stand beside it under the ending `_scale_inv`, in the shape that they must have.
    fn stored_beside<'s>(
        set: &'s SafetensorsSet,
        tensor: &SafetensorInfo,
        [height, width]: [usize; 2],
    ) -> Result<&'s SafetensorInfo, ModelError> {
        let name = format!("{}_scale_inv", tensor.name);
        let scales = set
            .tensor(&name)
            .ok_or_else(|| ModelError::missing_tensor(&name))?;
        let needed = match tensor.shape.as_slice() {
            [rows, columns] => vec![rows.div_ceil(height), columns.div_ceil(width)],
            shape => shape.to_vec(),
        };
        if scales.shape != needed {
            return Err(ModelError::misshapen_tensor(&name, &scales.shape, &needed));
        }
        Ok(scales)
    }

    fn beside(set: &SafetensorsSet, tensor: &SafetensorInfo, tile: [usize; 2]) -> Result<Self, ModelError> {
        let scales = Self::stored_beside(set, tensor, tile)?;
        let scales = Weight::of_safetensors(set, scales, tile)?.dequantize()?;
        let [height, width] = tile;
        Ok(Self {
            scales: scales.into(),
            height,
            width,
        })
    }

    /// Rows of bytes from `first_row` on, each `columns` wide.
    fn dequantize(&self, bytes: &[u8], first_row: usize, columns: usize, out: &mut [f32]) {
        let across = columns.div_ceil(self.width);
        let rows = bytes.chunks_exact(columns).zip(out.chunks_exact_mut(columns));
        for (row, (bytes, out)) in rows.enumerate() {
            let scales = (first_row + row) / self.height * across;
            for (column, (byte, out)) in bytes.iter().zip(out).enumerate() {
                let scale = self
                    .scales
                    .get(scales + column / self.width)
                    .copied()
                    .unwrap_or(f32::NAN);
                *out = e4m3(*byte) * scale;
            }
        }
    }
}

/// An 8-bit float with 4 bits of exponent (bias 7) and 3 of mantissa; no infinities, NaN is all ones.
///
/// # Source
///
/// Micikevicius et al. 2022, "FP8 Formats for Deep Learning", table 1.
fn e4m3(byte: u8) -> f32 {
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    let (exponent, mantissa) = (i32::from(byte >> 3 & 0xF), f32::from(byte & 7));
    sign * match (exponent, byte & 7) {
        (0xF, 7) => f32::NAN,
        (0, _) => mantissa / 8.0 * 2f32.powi(-6),
        _ => (1.0 + mantissa / 8.0) * 2f32.powi(exponent - 7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_floats_decode_at_their_borders() {
        for (byte, value) in [
            (0x00, 0.0),
            (0x01, 2f32.powi(-9)),
            (0x07, 7.0 * 2f32.powi(-9)),
            (0x08, 2f32.powi(-6)),
            (0x38, 1.0),
            (0x3C, 1.5),
            (0x7E, 448.0),
            (0xB8, -1.0),
        ] {
            assert_eq!(e4m3(byte), value, "{byte:#x}");
        }
        assert!(e4m3(0x7F).is_nan() && e4m3(0xFF).is_nan());
    }
}
