//! Runs of two tiles and eight rows, which fill the registers.
//!
//! Sixteen sums, of which each activation that is loaded serves two. The order of instructions is the point: a compiler
//! that has the same loop from intrinsics loads all activations of a run first, and keeps them in memory for want of
//! registers.

use std::arch::asm;
use std::arch::x86_64::*;

use super::super::{AHEAD, BYTES, Half};

/// Sums of two tiles and eight rows.
pub(super) type Sums = [[__m512i; 8]; 2];

/// Four columns: decodes the two tiles' weights into `a` and `b`, and multiplies.
macro_rules! quad {
    ($number:literal, $decode:expr) => {
        concat!(
            $decode,
            "vpbroadcastd {x}, dword ptr [{from} + 32*",
            $number,
            "]\n",
            "vpbroadcastd {y}, dword ptr [{from} + 32*",
            $number,
            " + 4]\n",
            "vpdpbusd {a0}, {a}, {x}\n",
            "vpdpbusd {b0}, {b}, {x}\n",
            "vpbroadcastd {x}, dword ptr [{from} + 32*",
            $number,
            " + 8]\n",
            "vpdpbusd {a1}, {a}, {y}\n",
            "vpdpbusd {b1}, {b}, {y}\n",
            "vpbroadcastd {y}, dword ptr [{from} + 32*",
            $number,
            " + 12]\n",
            "vpdpbusd {a2}, {a}, {x}\n",
            "vpdpbusd {b2}, {b}, {x}\n",
            "vpbroadcastd {x}, dword ptr [{from} + 32*",
            $number,
            " + 16]\n",
            "vpdpbusd {a3}, {a}, {y}\n",
            "vpdpbusd {b3}, {b}, {y}\n",
            "vpbroadcastd {y}, dword ptr [{from} + 32*",
            $number,
            " + 20]\n",
            "vpdpbusd {a4}, {a}, {x}\n",
            "vpdpbusd {b4}, {b}, {x}\n",
            "vpbroadcastd {x}, dword ptr [{from} + 32*",
            $number,
            " + 24]\n",
            "vpdpbusd {a5}, {a}, {y}\n",
            "vpdpbusd {b5}, {b}, {y}\n",
            "vpbroadcastd {y}, dword ptr [{from} + 32*",
            $number,
            " + 28]\n",
            "vpdpbusd {a6}, {a}, {x}\n",
            "vpdpbusd {b6}, {b}, {x}\n",
            "vpdpbusd {a7}, {a}, {y}\n",
            "vpdpbusd {b7}, {b}, {y}\n",
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

/// Loads the vectors that hold bits above.
macro_rules! bits {
    ($number:literal) => {
        concat!(
            "vmovdqu64 {c}, [{p} + 64*",
            $number,
            "]\n",
            "vmovdqu64 {d}, [{q} + 64*",
            $number,
            "]\n",
        )
    };
}

/// Puts bits above the low four: those that a shift brings to where `above` has ones.
macro_rules! above {
    ($half:expr, $shift:literal, $by:literal) => {
        concat!(
            $half,
            $shift,
            " {x}, {c}, ",
            $by,
            "\n",
            $shift,
            " {y}, {d}, ",
            $by,
            "\n",
            // `a | (x & above)`
            "vpternlogd {a}, {x}, {above}, 0xf8\n",
            "vpternlogd {b}, {y}, {above}, 0xf8\n",
        )
    };
}

/// Runs instructions on sixteen sums.
macro_rules! run {
    ($sums:ident, $codes:ident, $activations:ident, above $above:expr, $text:expr) => {{
        let [[a0, a1, a2, a3, a4, a5, a6, a7], [b0, b1, b2, b3, b4, b5, b6, b7]] = $sums;
        // With a type of their own: without, the compiler names registers that are none.
        let (_a, _b, _c, _d, _x, _y): (__m512i, __m512i, __m512i, __m512i, __m512i, __m512i);
        let nibble = _mm512_set1_epi8(15);
        let above = _mm512_set1_epi8($above);
        // SAFETY: the features that the instructions need are enabled; they read what the references refer to, ask for lines
        // of the cache, whatever the addresses, and write registers alone.
        unsafe {
            asm!(
                $text,
                "/* {nibble} {above} {c} {d} {ahead} */",
                a0 = inout(zmm_reg) *a0, a1 = inout(zmm_reg) *a1, a2 = inout(zmm_reg) *a2, a3 = inout(zmm_reg) *a3,
                a4 = inout(zmm_reg) *a4, a5 = inout(zmm_reg) *a5, a6 = inout(zmm_reg) *a6, a7 = inout(zmm_reg) *a7,
                b0 = inout(zmm_reg) *b0, b1 = inout(zmm_reg) *b1, b2 = inout(zmm_reg) *b2, b3 = inout(zmm_reg) *b3,
                b4 = inout(zmm_reg) *b4, b5 = inout(zmm_reg) *b5, b6 = inout(zmm_reg) *b6, b7 = inout(zmm_reg) *b7,
                a = out(zmm_reg) _a,
                b = out(zmm_reg) _b,
                c = out(zmm_reg) _c,
                d = out(zmm_reg) _d,
                x = out(zmm_reg) _x,
                y = out(zmm_reg) _y,
                nibble = in(zmm_reg) nibble,
                above = in(zmm_reg) above,
                p = in(reg) $codes[0],
                q = in(reg) $codes[1],
                from = in(reg) $activations,
                ahead = const AHEAD,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
    }};
}

/// [`Dot::run_of_bytes`](super::Dot::run_of_bytes).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_bytes(sums: &mut Sums, codes: [&[[u8; BYTES]; 8]; 2], activations: &[[[i8; 4]; 8]; 8]) {
    run!(sums, codes, activations, above 0, concat!(
        quad!(0, bytes!(0)), quad!(1, bytes!(1)), quad!(2, bytes!(2)), quad!(3, bytes!(3)),
        quad!(4, bytes!(4)), quad!(5, bytes!(5)), quad!(6, bytes!(6)), quad!(7, bytes!(7)),
    ));
}

/// [`Dot::run_of_nibbles`](super::Dot::run_of_nibbles).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_nibbles(
    sums: &mut Sums,
    codes: [&[[u8; BYTES]; 8]; 2],
    half: Half,
    activations: &[[[i8; 4]; 8]; 8],
) {
    match half {
        Half::Low => run!(sums, codes, activations, above 0, concat!(
            quad!(0, low!(0)), quad!(1, low!(1)), quad!(2, low!(2)), quad!(3, low!(3)),
            quad!(4, low!(4)), quad!(5, low!(5)), quad!(6, low!(6)), quad!(7, low!(7)),
        )),
        Half::High => run!(sums, codes, activations, above 0, concat!(
            quad!(0, high!(0)), quad!(1, high!(1)), quad!(2, high!(2)), quad!(3, high!(3)),
            quad!(4, high!(4)), quad!(5, high!(5)), quad!(6, high!(6)), quad!(7, high!(7)),
        )),
    }
}

/// [`Dot::run_of_five_bits`](super::Dot::run_of_five_bits).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_five_bits(
    sums: &mut Sums,
    codes: [&[[u8; BYTES]; 10]; 2],
    half: Half,
    activations: &[[[i8; 4]; 8]; 8],
) {
    match half {
        Half::Low => run!(sums, codes, activations, above 1 << 4, concat!(
            ask!(8),
            bits!(8),
            quad!(0, above!(low!(0), "vpsllw", 4)), quad!(1, above!(low!(1), "vpsllw", 2)),
            quad!(2, above!(low!(2), "vpsllw", 0)), quad!(3, above!(low!(3), "vpsrlw", 2)),
            ask!(9),
            bits!(9),
            quad!(4, above!(low!(4), "vpsllw", 4)), quad!(5, above!(low!(5), "vpsllw", 2)),
            quad!(6, above!(low!(6), "vpsllw", 0)), quad!(7, above!(low!(7), "vpsrlw", 2)),
        )),
        Half::High => run!(sums, codes, activations, above 1 << 4, concat!(
            bits!(8),
            quad!(0, above!(high!(0), "vpsllw", 3)), quad!(1, above!(high!(1), "vpsllw", 1)),
            quad!(2, above!(high!(2), "vpsrlw", 1)), quad!(3, above!(high!(3), "vpsrlw", 3)),
            bits!(9),
            quad!(4, above!(high!(4), "vpsllw", 3)), quad!(5, above!(high!(5), "vpsllw", 1)),
            quad!(6, above!(high!(6), "vpsrlw", 1)), quad!(7, above!(high!(7), "vpsrlw", 3)),
        )),
    }
}

/// [`Dot::run_of_six_bits`](super::Dot::run_of_six_bits).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn of_six_bits(
    sums: &mut Sums,
    codes: [&[[u8; BYTES]; 6]; 2],
    half: Half,
    activations: &[[[i8; 4]; 8]; 4],
) {
    match half {
        Half::Low => run!(sums, codes, activations, above 3 << 4, concat!(
            ask!(4),
            bits!(4),
            quad!(0, above!(low!(0), "vpsllw", 4)), quad!(1, above!(low!(1), "vpsllw", 0)),
            ask!(5),
            bits!(5),
            quad!(2, above!(low!(2), "vpsllw", 4)), quad!(3, above!(low!(3), "vpsllw", 0)),
        )),
        Half::High => run!(sums, codes, activations, above 3 << 4, concat!(
            bits!(4),
            quad!(0, above!(high!(0), "vpsllw", 2)), quad!(1, above!(high!(1), "vpsrlw", 2)),
            bits!(5),
            quad!(2, above!(high!(2), "vpsllw", 2)), quad!(3, above!(high!(3), "vpsrlw", 2)),
        )),
    }
}
