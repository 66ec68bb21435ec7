//! Integer products and half-precision numbers of every level, beside definitions of their own.

use half::{bf16, f16};
use proptest::prelude::*;
use simd::{BYTES, Dot, LANES, Level, Vector, dispatch};

#[inline(always)]
fn ints<V: Dot>(v: V, x: V::I32) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    v.store(v.to_f32(x), &mut lanes);
    lanes
}

/// Those of this CPU, and NEON without what only later CPUs have.
fn levels() -> impl Iterator<Item = Level> {
    #[cfg(target_arch = "aarch64")]
    let others = [Level::Neon(simd::Neon::new())];
    #[cfg(not(target_arch = "aarch64"))]
    let others = [];
    Level::available().chain(others)
}

fn sixteen<T: std::fmt::Debug>(each: impl Strategy<Value = T>) -> impl Strategy<Value = [T; LANES]> {
    prop::array::uniform16(each)
}

proptest! {
    #[test]
    fn products_of_bytes_are_sums_of_four(
        weights in prop::collection::vec(any::<u8>(), BYTES),
        activations in prop::array::uniform4(-127i8..=127),
        start in -1000i32..1000,
    ) {
        let all: &[u8; BYTES] = weights.first_chunk().expect("as many");
        let small: [u8; BYTES] = all.map(|x| x & 127);
        let sum = |lane: usize, weight: &dyn Fn(usize) -> i32| -> f32 {
            let products = (0..4).map(|k| weight(4 * lane + k) * i32::from(activations[k]));
            (start + products.sum::<i32>()) as f32
        };
        for level in levels() {
            #[inline(always)]
            fn both<V: Dot>(v: V, small: &[u8; BYTES], all: &[u8; BYTES], a: [i8; 4], start: i32) -> [[f32; LANES]; 2] {
                let sum: i32 = a.iter().map(|&a| i32::from(a)).sum();
                let plain = v.dot(v.splat_i32(start), v.load_bytes(small), a);
                let centred = v.dot_centred(v.splat_i32(start - V::OFFSET * sum), v.load_bytes(all), a);
                [ints(v, plain), ints(v, centred)]
            }
            let [plain, centred] = dispatch!(level, v => both(v, &small, all, activations, start));
            for lane in 0..LANES {
                prop_assert_eq!(plain[lane], sum(lane, &|i| i32::from(small[i])), "{}", level);
                prop_assert_eq!(centred[lane], sum(lane, &|i| i32::from(all[i]) - 128), "{}", level);
            }
        }
    }

    #[test]
    fn bits_above_four_stand_above_four(weights in prop::collection::vec(any::<u8>(), 2 * BYTES)) {
        let (low, bits) = weights.split_at(BYTES);
        let (low, bits): (&[u8; BYTES], &[u8; BYTES]) =
            (low.first_chunk().expect("as many"), bits.first_chunk().expect("as many"));
        // Each byte of a lane alone, by a one among zeros.
        #[inline(always)]
        fn read<V: Dot>(v: V, x: V::Bytes) -> Vec<f32> {
            (0..4)
                .flat_map(|k| {
                    let mut one = [0i8; 4];
                    one[k] = 1;
                    ints(v, v.dot(v.splat_i32(0), x, one))
                })
                .collect()
        }
        #[inline(always)]
        fn all<V: Dot>(v: V, low: &[u8; BYTES], bits: &[u8; BYTES]) -> Vec<Vec<f32>> {
            let (first, second) = v.nibbles(v.load_bytes(low));
            let bits = v.load_bytes(bits);
            vec![
                read(v, v.above::<0>(first, bits, 3)),
                read(v, v.above::<2>(second, bits, 3)),
                read(v, v.above::<4>(first, bits, 3)),
                read(v, v.above::<6>(second, bits, 3)),
                read(v, v.above::<1>(first, bits, 1)),
                read(v, v.above::<3>(second, bits, 1)),
                read(v, v.above::<5>(first, bits, 1)),
                read(v, v.above::<7>(second, bits, 1)),
            ]
        }
        let shifts = [(0, 3), (2, 3), (4, 3), (6, 3), (1, 1), (3, 1), (5, 1), (7, 1)];
        for level in Level::available() {
            let found = dispatch!(level, v => all(v, low, bits));
            for (number, (shift, mask)) in shifts.into_iter().enumerate() {
                for k in 0..4 {
                    for lane in 0..LANES {
                        let at = 4 * lane + k;
                        let nibble = if number % 2 == 0 { low[at] & 15 } else { low[at] >> 4 };
                        let expected = nibble | (bits[at] >> shift & mask) << 4;
                        prop_assert_eq!(found[number][k * LANES + lane], f32::from(expected), "{}", level);
                    }
                }
            }
        }
    }

    #[test]
    fn pairs_and_sums_are_exact(
        low in sixteen(any::<u8>()),
        high in sixteen(any::<u8>()),
        other in prop::array::uniform2(-4064i16..=4064),
        factor in -100_000i32..100_000,
    ) {
        #[inline(always)]
        fn all<V: Dot>(v: V, low: &[u8; LANES], high: &[u8; LANES], other: [i16; 2], factor: i32) -> [[f32; LANES]; 2] {
            let zero = v.splat_i32(0);
            [
                ints(v, v.dot_pairs(zero, v.pairs(low, high), other)),
                ints(v, v.add_i32(v.mul_i32(v.widen(low), v.splat_i32(factor)), v.widen_signed(high))),
            ]
        }
        let [first, second] = other.map(i32::from);
        for level in Level::available() {
            let found = dispatch!(level, v => all(v, &low, &high, other, factor));
            for lane in 0..LANES {
                let (a, b) = (i32::from(low[lane]), i32::from(high[lane]));
                let d = i32::from(high[lane] as i8);
                prop_assert_eq!(found[0][lane], (a * first + b * second) as f32, "{}", level);
                prop_assert_eq!(found[1][lane], (a * factor + d) as f32, "{}", level);
            }
        }
    }

    #[test]
    fn numbers_become_the_nearest_halves(bits in sixteen(any::<u32>()), near in sixteen((any::<u16>(), -3i32..=3))) {
        let numbers = bits.map(f32::from_bits);
        // Numbers at and about the middle between two halves.
        let middles = near.map(|(half, off)| {
            let number = f16::from_bits(half).to_f32();
            f32::from_bits((number.to_bits() | 0x1000).wrapping_add_signed(off))
        });
        for x in [numbers, middles] {
            for level in Level::available() {
                let mut stored = [0; 2 * LANES];
                dispatch!(level, v => v.store_halves(v.load(&x), &mut stored));
                for (lane, half) in stored.as_chunks::<2>().0.iter().enumerate() {
                    let (found, expected) = (f16::from_le_bytes(*half), f16::from_f32(x[lane]));
                    prop_assert!(found == expected || found.is_nan() && expected.is_nan(), "{level}: {}", x[lane]);
                }
            }
        }
    }

    #[test]
    fn products_and_sums_round_once(a in sixteen(-1e3f32..1e3), b in sixteen(-1e3f32..1e3), c in sixteen(-1e3f32..1e3)) {
        for level in Level::available() {
            let mut found = [0.0; LANES];
            dispatch!(level, v => v.store(v.mul_add(v.load(&a), v.load(&b), v.load(&c)), &mut found));
            for lane in 0..LANES {
                prop_assert_eq!(found[lane].to_bits(), a[lane].mul_add(b[lane], c[lane]).to_bits(), "{}", level);
            }
        }
    }
}

#[test]
fn every_half_is_the_number_that_it_stands_for() {
    for first in (0..=u16::MAX).step_by(LANES) {
        let bytes: [u8; 2 * LANES] = std::array::from_fn(|i| (first + i as u16 / 2).to_le_bytes()[i % 2]);
        for level in Level::available() {
            let (mut halves, mut upper) = ([0.0; LANES], [0.0; LANES]);
            dispatch!(level, v => {
                v.store(v.halves(&bytes), &mut halves);
                v.store(v.upper_halves(&bytes), &mut upper);
            });
            for lane in 0..LANES {
                let bits = first + lane as u16;
                let (half, up) = (f16::from_bits(bits).to_f32(), bf16::from_bits(bits).to_f32());
                assert!(
                    halves[lane] == half || halves[lane].is_nan() && half.is_nan(),
                    "{level} {bits:#x}"
                );
                assert!(
                    upper[lane] == up || upper[lane].is_nan() && up.is_nan(),
                    "{level} {bits:#x}"
                );
            }
        }
    }
}
