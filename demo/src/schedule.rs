//! The learning rate by step: a warm-up, a plateau, half a cosine down.

/// Steps of the warm-up.
const WARM_UP: u32 = 50;
/// Share of the steps after which it falls.
const PLATEAU: f64 = 0.3;
/// What is left of the peak at the end.
const FLOOR: f64 = 0.03;

/// A schedule over a fixed number of steps.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Highest rate.
    pub peak: f64,
    /// Steps in all.
    pub steps: u32,
}

impl Schedule {
    /// The rate of a step, from 0.
    pub fn rate(&self, step: u32) -> f64 {
        let done = f64::from(step + 1) / f64::from(self.steps);
        let warm = f64::from(step + 1) / f64::from(WARM_UP);
        let fall = ((done - PLATEAU) / (1.0 - PLATEAU)).clamp(0.0, 1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * fall).cos());
        self.peak * warm.min(1.0) * (FLOOR + (1.0 - FLOOR) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_stays_and_falls_to_the_floor() {
        let schedule = Schedule {
            peak: 1.0,
            steps: 1000,
        };
        assert!((schedule.rate(0) - 0.02).abs() < 1e-9);
        assert_eq!(schedule.rate(49), 1.0);
        assert_eq!(schedule.rate(250), 1.0);
        assert!(schedule.rate(600) < schedule.rate(500));
        assert!((schedule.rate(999) - FLOOR).abs() < 1e-9);
    }
}
