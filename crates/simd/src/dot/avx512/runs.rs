//! Runs of two tiles and four rows, whose sums fill half of the registers: the totals that they are added to have room too.
//!
//! An activation that is loaded serves both tiles. The order of instructions is the point: a compiler that has the same loop
//! from intrinsics loads all activations of a run first, and keeps them in memory for want of registers.

use std::arch::asm;
use std::arch::x86_64::*;

use super::super::{AHEAD, BYTES};

/// Sums of two tiles and four rows.
pub(super) type Sums = [[__m512i; 4]; 2];

/// Four columns: decodes the two tiles' weights into `a` and `b`, and multiplies.
macro_rules! quad {
    ($number:literal, $decode:expr) => {
        concat!(
            $decode,
            "vpbroadcastd {x}, dword ptr [{from} + 16*",
            $number,
            " + 0]\n",
            "vpdpbusd {a0}, {a}, {x}\n",
            "vpdpbusd {b0}, {b}, {x}\n",
            "vpbroadcastd {y}, dword ptr [{from} + 16*",
            $number,
            " + 4]\n",
            "vpdpbusd {a1}, {a}, {y}\n",
            "vpdpbusd {b1}, {b}, {y}\n",
            "vpbroadcastd {x}, dword ptr [{from} + 16*",
            $number,
            " + 8]\n",
            "vpdpbusd {a2}, {a}, {x}\n",
            "vpdpbusd {b2}, {b}, {x}\n",
            "vpbroadcastd {y}, dword ptr [{from} + 16*",
            $number,
            " + 12]\n",
            "vpdpbusd {a3}, {a}, {y}\n",
            "vpdpbusd {b3}, {b}, {y}\n",
        )
    };
}

/// [`quad`] with the sums and activations of the high halves.
macro_rules! quad_high {
    ($number:literal, $decode:expr) => {
        concat!(
            $decode,
            "vpbroadcastd {x}, dword ptr [{high} + 16*",
            $number,
            " + 0]\n",
            "vpdpbusd {c0}, {a}, {x}\n",
            "vpdpbusd {d0}, {b}, {x}\n",
            "vpbroadcastd {y}, dword ptr [{high} + 16*",
            $number,
            " + 4]\n",
            "vpdpbusd {c1}, {a}, {y}\n",
            "vpdpbusd {d1}, {b}, {y}\n",
            "vpbroadcastd {x}, dword ptr [{high} + 16*",
            $number,
            " + 8]\n",
            "vpdpbusd {c2}, {a}, {x}\n",
            "vpdpbusd {d2}, {b}, {x}\n",
            "vpbroadcastd {y}, dword ptr [{high} + 16*",
            $number,
            " + 12]\n",
            "vpdpbusd {c3}, {a}, {y}\n",
            "vpdpbusd {d3}, {b}, {y}\n",
        )
    };
}

/// Asks for the lines ahead of a vector of both tiles.
macro_rules! ask {
    ($number:literal) => {
        concat!(
            "prefetcht0 [{p} + 64*",
            $number,
            " + {ahead}]\n",
            "prefetcht0 [{q} + 64*",
            $number,
            " + {ahead}]\n",
        )
    };
}

/// A vector of both tiles as it is.
macro_rules! bytes {
    ($number:literal) => {
        concat!(
            ask!($number),
            "vmovdqu64 {a}, [{p} + 64*",
            $number,
            "]\n",
            "vmovdqu64 {b}, [{q} + 64*",
            $number,
            "]\n",
        )
    };
}

/// The low halves of a vector of both tiles.
macro_rules! low {
    ($number:literal) => {
        concat!(
            ask!($number),
            "vpandd {a}, {nibble}, [{p} + 64*",
            $number,
            "]\n",
            "vpandd {b}, {nibble}, [{q} + 64*",
            $number,
            "]\n",
        )
    };
}

/// The high halves of a vector of both tiles.
macro_rules! high {
    ($number:literal) => {
        concat!(
            "vpsrlw {a}, [{p} + 64*",
            $number,
            "], 4\n",
            "vpsrlw {b}, [{q} + 64*",
            $number,
            "], 4\n",
            "vpandd {a}, {a}, {nibble}\n",
            "vpandd {b}, {b}, {nibble}\n",
        )
    };
}

/// Puts bits above the low four: those that a shift of vector `from` brings to where `above` has ones.
macro_rules! above {
    ($half:expr, $from:literal, $shift:literal, $by:literal) => {
        concat!(
            $half,
            $shift,
            " {x}, [{p} + 64*",
            $from,
            "], ",
            $by,
            "\n",
            $shift,
            " {y}, [{q} + 64*",
            $from,
            "], ",
            $by,
            "\n",
            // `a | (x & above)`
            "vpternlogd {a}, {x}, {above}, 0xf8\n",
            "vpternlogd {b}, {y}, {above}, 0xf8\n",
        )
    };
}

/// Four columns of both halves.
macro_rules! nibbles {
    ($number:literal) => {
        concat!(quad!($number, low!($number)), quad_high!($number, high!($number)))
    };
}

/// Four columns of both halves, each with a shift that brings bits above.
macro_rules! nibbles_and {
    ($number:literal, $from:literal, $low:literal $by_low:literal, $high:literal $by_high:literal) => {
        concat!(
            quad!($number, above!(low!($number), $from, $low, $by_low)),
            quad_high!($number, above!(high!($number), $from, $high, $by_high)),
        )
    };
}

/// Runs instructions on the sums of both halves.
macro_rules! run {
    ($sums:ident, $codes:ident, $activations:ident, above $above:expr, $text:expr) => {{
        let [low, high] = $sums;
        let [[a0, a1, a2, a3], [b0, b1, b2, b3]] = low;
        let [[c0, c1, c2, c3], [d0, d1, d2, d3]] = high;
        // With a type of their own: without, the compiler names registers that are none.
        let (_a, _b, _x, _y): (__m512i, __m512i, __m512i, __m512i);
        // SAFETY: the features that the instructions need are enabled; they read what the references refer to, ask for lines
        // of the cache, whatever the addresses, and write registers alone.
        unsafe {
            asm!(
                $text,
                "/* {above} */",
                a0 = inout(zmm_reg) *a0, a1 = inout(zmm_reg) *a1, a2 = inout(zmm_reg) *a2, a3 = inout(zmm_reg) *a3,
                b0 = inout(zmm_reg) *b0, b1 = inout(zmm_reg) *b1, b2 = inout(zmm_reg) *b2, b3 = inout(zmm_reg) *b3,
                c0 = inout(zmm_reg) *c0, c1 = inout(zmm_reg) *c1, c2 = inout(zmm_reg) *c2, c3 = inout(zmm_reg) *c3,
                d0 = inout(zmm_reg) *d0, d1 = inout(zmm_reg) *d1, d2 = inout(zmm_reg) *d2, d3 = inout(zmm_reg) *d3,
                a = out(zmm_reg) _a,
                b = out(zmm_reg) _b,
                x = out(zmm_reg) _x,
                y = out(zmm_reg) _y,
                nibble = in(zmm_reg) _mm512_set1_epi8(15),
                above = in(zmm_reg) _mm512_set1_epi8($above),
                p = in(reg) $codes[0],
                q = in(reg) $codes[1],
                from = in(reg) $activations[0],
                high = in(reg) $activations[1],
                ahead = const AHEAD,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
    }};
}

/// [`Dot::run_of_bytes`](super::Dot::run_of_bytes).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_bytes(sums: &mut Sums, codes: [&[[u8; BYTES]; 8]; 2], activations: &[[[i8; 4]; 4]; 8]) {
    let [[a0, a1, a2, a3], [b0, b1, b2, b3]] = sums;
    let (_a, _b, _x, _y): (__m512i, __m512i, __m512i, __m512i);
    // SAFETY: as of `run`.
    unsafe {
        asm!(
            concat!(
                quad!(0, bytes!(0)), quad!(1, bytes!(1)), quad!(2, bytes!(2)), quad!(3, bytes!(3)),
                quad!(4, bytes!(4)), quad!(5, bytes!(5)), quad!(6, bytes!(6)), quad!(7, bytes!(7)),
            ),
            a0 = inout(zmm_reg) *a0, a1 = inout(zmm_reg) *a1, a2 = inout(zmm_reg) *a2, a3 = inout(zmm_reg) *a3,
            b0 = inout(zmm_reg) *b0, b1 = inout(zmm_reg) *b1, b2 = inout(zmm_reg) *b2, b3 = inout(zmm_reg) *b3,
            a = out(zmm_reg) _a,
            b = out(zmm_reg) _b,
            x = out(zmm_reg) _x,
            y = out(zmm_reg) _y,
            p = in(reg) codes[0],
            q = in(reg) codes[1],
            from = in(reg) activations,
            ahead = const AHEAD,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// [`Dot::run_of_nibbles`](super::Dot::run_of_nibbles).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_nibbles(
    sums: [&mut Sums; 2],
    codes: [&[[u8; BYTES]; 8]; 2],
    activations: [&[[[i8; 4]; 4]; 8]; 2],
) {
    run!(sums, codes, activations, above 0, concat!(
        nibbles!(0), nibbles!(1), nibbles!(2), nibbles!(3), nibbles!(4), nibbles!(5), nibbles!(6), nibbles!(7),
    ));
}

/// [`Dot::run_of_five_bits`](super::Dot::run_of_five_bits).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_five_bits(
    sums: [&mut Sums; 2],
    codes: [&[[u8; BYTES]; 10]; 2],
    activations: [&[[[i8; 4]; 4]; 8]; 2],
) {
    run!(sums, codes, activations, above 1 << 4, concat!(
        ask!(8),
        ask!(9),
        nibbles_and!(0, 8, "vpsllw" 4, "vpsllw" 3),
        nibbles_and!(1, 8, "vpsllw" 2, "vpsllw" 1),
        nibbles_and!(2, 8, "vpsllw" 0, "vpsrlw" 1),
        nibbles_and!(3, 8, "vpsrlw" 2, "vpsrlw" 3),
        nibbles_and!(4, 9, "vpsllw" 4, "vpsllw" 3),
        nibbles_and!(5, 9, "vpsllw" 2, "vpsllw" 1),
        nibbles_and!(6, 9, "vpsllw" 0, "vpsrlw" 1),
        nibbles_and!(7, 9, "vpsrlw" 2, "vpsrlw" 3),
    ));
}

/// [`Dot::run_of_six_bits`](super::Dot::run_of_six_bits).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_six_bits(
    sums: [&mut Sums; 2],
    codes: [&[[u8; BYTES]; 6]; 2],
    activations: [&[[[i8; 4]; 4]; 4]; 2],
) {
    run!(sums, codes, activations, above 3 << 4, concat!(
        ask!(4),
        ask!(5),
        nibbles_and!(0, 4, "vpsllw" 4, "vpsllw" 2),
        nibbles_and!(1, 4, "vpsllw" 0, "vpsrlw" 2),
        nibbles_and!(2, 5, "vpsllw" 4, "vpsllw" 2),
        nibbles_and!(3, 5, "vpsllw" 0, "vpsrlw" 2),
    ));
}
