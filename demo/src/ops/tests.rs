//! Every operation against candle's own differentiable ones, values and gradients.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::ops::softmax;
use candle_nn::rotary_emb::rope_slow;

use super::*;

const EPSILON: f32 = 1e-6;

/// Numbers between -1 and 1 that look like noise.
fn noise(seed: u32, shape: &[usize]) -> Var {
    let count: usize = shape.iter().product();
    let numbers: Vec<f32> = (0..count as u32)
        .map(|i| {
            let mut x = (i ^ seed.wrapping_mul(0x9e37_79b9)).wrapping_add(0x85eb_ca6b);
            for _ in 0..3 {
                x = (x ^ (x >> 16)).wrapping_mul(0x45d9_f3b5);
            }
            x as f32 / u32::MAX as f32 * 2.0 - 1.0
        })
        .collect();
    Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(D::Minus1).unwrap().to_scalar().unwrap()
}

/// Both functions give the same value and the same gradient of every variable.
fn agree(
    vars: &[&Var],
    ours: impl Fn() -> Result<Tensor>,
    theirs: impl Fn() -> Result<Tensor>,
    tolerance: f32,
) {
    let (ours, theirs) = (ours().unwrap(), theirs().unwrap());
    assert!(distance(&ours, &theirs) < tolerance, "values");
    // Another weight for every element, so that no two of them can hide each other.
    let weights = noise(77, ours.dims());
    let graded = |out: &Tensor| {
        (out * weights.as_detached_tensor())
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap()
    };
    let (ours, theirs) = (graded(&ours), graded(&theirs));
    for (i, var) in vars.iter().enumerate() {
        let ours = ours
            .get(var)
            .unwrap_or_else(|| panic!("no gradient of variable {i}"));
        let theirs = theirs.get(var).unwrap();
        let apart = distance(ours, theirs);
        assert!(apart < tolerance, "gradient of variable {i} is {apart} off");
    }
}

#[test]
fn linear_agrees_with_a_transposed_product() {
    let (x, w) = (noise(1, &[7, 48]), noise(2, &[32, 48]));
    agree(&[&x, &w], || linear(&x, &w), || x.matmul(&w.t()?), 1e-4);
}

#[test]
fn norm_agrees_with_the_slow_norm() {
    let (x, w) = (noise(1, &[130, 48]), noise(2, &[48]));
    agree(
        &[&x, &w],
        || norm(&x, &w, EPSILON),
        || candle_nn::ops::rms_norm_slow(&x, &w, EPSILON),
        1e-4,
    );
}

#[test]
fn rotated_heads_agree_with_slow_norm_and_slow_rope() {
    let (batch, length, heads, width) = (3, 37, 2, 32);
    let (x, w) = (noise(1, &[batch * length, heads * width]), noise(2, &[width]));
    let rotation = Rotation::new(width, 64, 10_000.0);
    let table = |numbers: &[f32]| {
        Tensor::from_slice(&numbers[..length * width / 2], (length, width / 2), &Device::Cpu).unwrap()
    };
    let (cosines, sines) = rotation.tables();
    let (cos, sin) = (table(cosines), table(sines));
    agree(
        &[&x, &w],
        || rotated_heads(&x, &w, length, EPSILON, &rotation),
        || {
            let heads_of = x.reshape((batch * length * heads, width))?;
            let normed = candle_nn::ops::rms_norm_slow(&heads_of, &w, EPSILON)?;
            let split = normed
                .reshape((batch, length, heads, width))?
                .transpose(1, 2)?
                .contiguous()?;
            rope_slow(&split, &cos, &sin)?
                .transpose(1, 2)?
                .contiguous()?
                .reshape((batch * length, heads * width))
        },
        1e-4,
    );
}

#[test]
fn attention_agrees_with_softmax_over_a_mask() {
    for length in [1, 3, 16, 21, 50] {
        let (batch, heads, key_heads, width) = (2, 4, 2, 32);
        let rows = batch * length;
        let q = noise(1, &[rows, heads * width]);
        let (k, v) = (
            noise(2, &[rows, key_heads * width]),
            noise(3, &[rows, key_heads * width]),
        );
        let naive = || {
            let split = |x: &Tensor, heads: usize| {
                x.reshape((batch, length, heads, width))?
                    .transpose(1, 2)?
                    .contiguous()
            };
            let repeated = |x: Tensor| {
                let group = heads / key_heads;
                x.unsqueeze(2)?
                    .broadcast_as((batch, key_heads, group, length, width))?
                    .contiguous()?
                    .reshape((batch, heads, length, width))
            };
            let (q, k, v) = (
                split(&q, heads)?,
                repeated(split(&k, key_heads)?)?,
                repeated(split(&v, key_heads)?)?,
            );
            let mask: Vec<f32> = (0..length * length)
                .map(|at| {
                    if at % length > at / length {
                        f32::NEG_INFINITY
                    } else {
                        0.0
                    }
                })
                .collect();
            let mask = Tensor::from_vec(mask, (length, length), &Device::Cpu)?;
            let scores = (q.matmul(&k.t()?)? / (width as f64).sqrt())?.broadcast_add(&mask)?;
            softmax(&scores, D::Minus1)?
                .matmul(&v)?
                .transpose(1, 2)?
                .contiguous()?
                .reshape((rows, heads * width))
        };
        agree(
            &[&q, &k, &v],
            || attention(&q, &k, &v, length, width),
            naive,
            1e-4,
        );
    }
}

#[test]
fn swiglu_agrees_with_silu_times_up() {
    let (gate, up) = (noise(1, &[5, 48]), noise(2, &[5, 48]));
    agree(
        &[&gate, &up],
        || swiglu(&gate, &up),
        || gate.silu()? * up.as_tensor(),
        1e-5,
    );
}

#[test]
fn cross_entropy_agrees_with_candle() {
    let logits = noise(1, &[9, 64]);
    let targets: Vec<u32> = (0..9).map(|i| i * 7 % 64).collect();
    let of_candle = Tensor::new(targets.as_slice(), &Device::Cpu).unwrap();
    agree(
        &[&logits],
        || cross_entropy(&logits, &targets),
        || candle_nn::loss::cross_entropy(&logits, &of_candle),
        1e-5,
    );
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    assert!(linear(&zeros(&[2, 16]), &zeros(&[4, 32])).is_err());
    assert!(norm(&zeros(&[2, 20]), &zeros(&[20]), EPSILON).is_err());
    assert!(norm(&zeros(&[2, 32]), &zeros(&[16]), EPSILON).is_err());
    assert!(swiglu(&zeros(&[2, 16]), &zeros(&[2, 32])).is_err());
    assert!(attention(&zeros(&[6, 64]), &zeros(&[6, 32]), &zeros(&[4, 32]), 3, 32).is_err());
    assert!(attention(&zeros(&[6, 64]), &zeros(&[6, 32]), &zeros(&[6, 32]), 4, 32).is_err());
    assert!(cross_entropy(&zeros(&[2, 16]), &[1]).is_err());
    assert!(cross_entropy(&zeros(&[2, 16]), &[1, 16]).is_err());
    let rotation = Rotation::new(32, 8, 10_000.0);
    let turned = |x: &[usize], length| rotated_heads(&zeros(x), &zeros(&[32]), length, EPSILON, &rotation);
    assert!(turned(&[8, 32], 8).is_ok());
    assert!(turned(&[9, 32], 9).is_err());
    assert!(turned(&[8, 48], 8).is_err());
    assert!(turned(&[7, 32], 8).is_err());
}
