//! The blocks of GGML as its format describes them, one weight at a time.

use half::{bf16, f16};
use simd_matmul::{Grain, Weights};

/// Where a block has its half-precision scales.
pub(crate) fn scales(weights: Weights) -> Vec<usize> {
    match weights {
        Weights::Q4_0 | Weights::Q5_0 | Weights::Q8_0 | Weights::IQ4_NL => vec![0],
        Weights::Q6_K => vec![208],
        Weights::F16 => vec![0],
        Weights::BF16 | Weights::F32 => vec![],
        _ => vec![0, 2],
    }
}

fn number(block: &[u8], at: usize) -> f64 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f64()
}

/// Every weight of a row of blocks.
pub(crate) fn dequantized(weights: Weights, blocks: &[u8]) -> Vec<f64> {
    let columns = weights.grain().columns();
    let blocks = blocks.chunks_exact(weights.block_bytes());
    blocks
        .flat_map(|block| {
            (0..columns)
                .map(|i| weight(weights, block, i))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn weight(weights: Weights, block: &[u8], i: usize) -> f64 {
    let d = |at| number(block, at);
    match weights {
        Weights::Q4_0 => d(0) * (nibble(&block[2..], i) - 8.0),
        Weights::Q4_1 => d(0) * nibble(&block[4..], i) + d(2),
        Weights::Q5_0 => d(0) * (nibble(&block[6..], i) + fifth(&block[2..], i) - 16.0),
        Weights::Q5_1 => d(0) * (nibble(&block[8..], i) + fifth(&block[4..], i)) + d(2),
        Weights::IQ4_NL => {
            let values = [
                -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
            ];
            d(0) * f64::from(values[nibble(&block[2..], i) as usize])
        }
        Weights::Q8_0 => d(0) * f64::from(block[2 + i] as i8),
        Weights::Q4_K | Weights::Q5_K => {
            let (scale, minimum) = scale_and_minimum(&block[4..16], i / 32);
            let codes = if weights == Weights::Q4_K { 16 } else { 48 };
            let byte = block[codes + i / 64 * 32 + i % 32];
            let mut code = if (i / 32).is_multiple_of(2) {
                byte & 15
            } else {
                byte >> 4
            };
            if weights == Weights::Q5_K && block[16 + i % 32] >> (i / 32) & 1 == 1 {
                code += 16;
            }
            d(0) * scale * f64::from(code) - d(2) * minimum
        }
        Weights::Q6_K => {
            let (half, i) = (i / 128, i % 128);
            let low = block[64 * half + i % 64];
            let low = if i < 64 { low & 15 } else { low >> 4 };
            let high = block[128 + 32 * half + i % 32] >> (2 * (i / 32)) & 3;
            let scale = f64::from(block[192 + 8 * half + i / 16] as i8);
            d(208) * scale * (f64::from(low | high << 4) - 32.0)
        }
        Weights::F16 => d(0),
        Weights::BF16 => f64::from(bf16::from_le_bytes([block[0], block[1]])),
        Weights::F32 => f64::from(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
        _ => unreachable!("a type without a definition"),
    }
}

fn nibble(codes: &[u8], i: usize) -> f64 {
    f64::from(if i < 16 { codes[i] & 15 } else { codes[i - 16] >> 4 })
}

fn fifth(bits: &[u8], i: usize) -> f64 {
    let bits = u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]);
    f64::from(bits >> i & 1) * 16.0
}

/// The first four have six bits each; the others have four in the last bytes, and two above those of the first.
fn scale_and_minimum(packed: &[u8], part: usize) -> (f64, f64) {
    let (scale, minimum) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        let low = packed[part + 4];
        (
            low & 15 | (packed[part - 4] >> 6) << 4,
            low >> 4 | (packed[part] >> 6) << 4,
        )
    };
    (f64::from(scale), f64::from(minimum))
}

/// Activations after they were rounded to 8 bits, where they are.
pub(crate) fn quantized(grain: Grain, x: &[f32]) -> Vec<f64> {
    if grain == Grain::Number {
        return x.iter().map(|&x| f64::from(x)).collect();
    }
    let mut out = Vec::new();
    for x in x.chunks_exact(grain.columns()) {
        let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
        let scale = f64::from(largest / 127.0);
        out.extend(
            x.iter()
                .map(|x| f64::from((x * inverse).round_ties_even()) * scale),
        );
    }
    out
}
