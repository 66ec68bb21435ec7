//! Which instructions a kernel may use, as a value that proves the CPU has them.
//!
//! A level is detected once. The environment variable `SIMD_LEVEL` (`scalar`, `avx2`, `avx512`,
//! `neon`) forces a lower one, for tests and support; a name that does not exist or that this CPU
//! lacks is an error of [`Level::from_environment`].

use std::fmt;
use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
use crate::vector::Neon;
use crate::vector::Scalar;
#[cfg(target_arch = "x86_64")]
use crate::vector::{Avx2, Avx512};

/// One instruction set, proven to exist on this CPU.
///
/// Variants of other architectures do not exist; [`dispatch!`](crate::dispatch) hides that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Portable code, compiled for the target's baseline.
    Scalar(Scalar),
    /// AVX2 with the bit-manipulation instructions that every CPU with AVX2 has.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 as of Ice Lake and Zen 4.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// The 128-bit vectors of every aarch64 CPU.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

/// Why a level that was asked for by name cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LevelError {
    /// No level has this name.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The level exists, this CPU (or the target this was built for) lacks it.
    Unavailable {
        /// What was asked for.
        name: &'static str,
    },
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(
                    f,
                    "no SIMD level is called {name:?}; the levels are {}",
                    Level::NAMES.join(", ")
                )
            }
            Self::Unavailable { name } => write!(f, "this CPU lacks the SIMD level {name:?}"),
        }
    }
}

impl std::error::Error for LevelError {}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Level {
    /// Name of the environment variable that forces a level.
    pub const VARIABLE: &'static str = "SIMD_LEVEL";

    /// Every level of every architecture, slowest first.
    pub const NAMES: [&'static str; 4] = ["scalar", "neon", "avx2", "avx512"];

    /// The level that exists everywhere.
    #[must_use]
    pub const fn scalar() -> Self {
        Self::Scalar(Scalar::new())
    }

    /// The level that kernels use by default: the one that `SIMD_LEVEL` names, else the best of this CPU.
    ///
    /// Read once per process. An invalid `SIMD_LEVEL` counts as unset here; it is reported by
    /// [`Level::from_environment`].
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Self::from_environment().unwrap_or_else(|_| Self::detect()))
    }

    /// The level that `SIMD_LEVEL` names, or the best of this CPU where the variable is unset.
    ///
    /// # Errors
    ///
    /// * [`LevelError::Unknown`] if the variable holds no level's name.
    /// * [`LevelError::Unavailable`] if this CPU lacks the level that it names.
    pub fn from_environment() -> Result<Self, LevelError> {
        match std::env::var_os(Self::VARIABLE) {
            Some(name) => Self::by_name(&name.to_string_lossy()),
            None => Ok(Self::detect()),
        }
    }

    /// The level of this name.
    ///
    /// # Errors
    ///
    /// * [`LevelError::Unknown`] if no level has this name.
    /// * [`LevelError::Unavailable`] if this CPU lacks it.
    pub fn by_name(name: &str) -> Result<Self, LevelError> {
        let Some(name) = Self::NAMES.into_iter().find(|known| *known == name) else {
            return Err(LevelError::Unknown {
                name: name.to_owned(),
            });
        };
        Self::available()
            .find(|level| level.name() == name)
            .ok_or(LevelError::Unavailable { name })
    }

    /// This level's name, one of [`Level::NAMES`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => "neon",
        }
    }

    /// The levels of this CPU, slowest first; never empty.
    pub fn available() -> impl Iterator<Item = Self> {
        let mut levels = [Some(Self::scalar()), None, None];
        #[cfg(target_arch = "x86_64")]
        {
            levels[1] = Avx2::detect().map(Self::Avx2);
            levels[2] = Avx512::detect().map(Self::Avx512);
        }
        #[cfg(target_arch = "aarch64")]
        {
            levels[1] = Some(Self::Neon(Neon::detect()));
        }
        levels.into_iter().flatten()
    }

    /// The best level of this CPU, whatever the environment says.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().last().unwrap_or(Self::scalar())
    }
}

/// Runs an expression compiled for a level: `dispatch!(level, v => kernel(v, row))`.
///
/// `v` is the level's [`Vector`](crate::Vector). All that the expression calls must be
/// `#[inline(always)]`, or it is compiled for the baseline.
#[macro_export]
macro_rules! dispatch {
    ($level:expr, $v:ident => $body:expr) => {
        match $level {
            $crate::Level::Scalar($v) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::Level::Avx2($v) => $v.enable(
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "x86_64")]
            $crate::Level::Avx512($v) => $v.enable(
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "aarch64")]
            $crate::Level::Neon($v) => $body,
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_level_is_found_by_its_name() {
        for level in Level::available() {
            assert_eq!(Level::by_name(level.name()), Ok(level));
            assert_eq!(level.to_string(), level.name());
        }
        assert_eq!(Level::available().next(), Some(Level::scalar()));
    }

    #[test]
    fn a_name_that_no_level_has_is_an_error_that_lists_the_names() {
        let error = Level::by_name("sse9").unwrap_err();
        assert_eq!(
            error,
            LevelError::Unknown {
                name: "sse9".to_owned()
            }
        );
        assert!(
            error.to_string().contains("scalar, neon, avx2, avx512"),
            "{error}"
        );
    }

    #[test]
    fn a_level_of_another_architecture_is_unavailable() {
        let foreign = if cfg!(target_arch = "aarch64") {
            "avx2"
        } else {
            "neon"
        };
        assert_eq!(
            Level::by_name(foreign),
            Err(LevelError::Unavailable { name: foreign })
        );
    }
}
