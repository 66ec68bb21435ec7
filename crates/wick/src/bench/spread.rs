//! A figure that was measured several times: its median, and the least and the most of it.

/// Median and range, in the figure's own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of at least one measurement; of none, not a number.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        let last = figures.len().saturating_sub(1);
        Self {
            // Of an even number, the mean of the two in the middle.
            median: f64::midpoint(at(last / 2), at(last.div_ceil(2))),
            least: at(0),
            most: at(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_between_the_extremes() {
        for (figures, median, least, most) in [
            (&[7.0][..], 7.0, 7.0, 7.0),
            (&[4.0, 1.0], 2.5, 1.0, 4.0),
            (&[9.0, 2.0, 3.0], 3.0, 2.0, 9.0),
            (&[9.0, 2.0, 3.0, 4.0], 3.5, 2.0, 9.0),
        ] {
            let expected = Spread { median, least, most };
            assert_eq!(Spread::of(figures.iter().copied()), expected);
        }
    }

    #[test]
    fn of_nothing_nothing_is_known() {
        assert!(Spread::of([]).median.is_nan());
    }
}
