//! The learning rate by step: a warm-up, a plateau and half a cosine down, then two more, lower half cosines.
//!
//! Copying is learnt suddenly and late in the first cycle, while the rate is still high; the second cycle gives it
//! time to become exact at low rates. The third, short one goes with the corpus's late mix of skills.
//!
//! Source: Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, 2017.

/// Steps of a warm-up.
const WARM_UP: u32 = 50;
/// Share of the first cycle after which the rate falls; later cycles fall from their beginning.
const PLATEAU: f64 = 0.3;
/// The cycles: parts of all steps, highest rate and last rate as shares of the peak.
const CYCLES: [(u32, f64, f64); 3] = [(60, 1.0, 0.03), (60, 0.4, 0.003), (17, 0.3, 0.003)];
/// Parts of all cycles together.
const PARTS: u32 = 137;

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
        let mut parts = 0;
        for (cycle, (own, top, floor)) in CYCLES.into_iter().enumerate() {
            let first = self.at(parts);
            parts += own;
            let end = self.at(parts);
            if step < end || parts == PARTS {
                let plateau = if cycle == 0 { PLATEAU } else { 0.0 };
                return self.peak * share(step - first, end - first, plateau, top, floor);
            }
        }
        0.0
    }

    /// The step at which the second cycle begins: a little before half-way.
    pub fn second_cycle(&self) -> u32 {
        let [(first, ..), ..] = CYCLES;
        self.at(first)
    }

    fn at(&self, parts: u32) -> u32 {
        (u64::from(self.steps) * u64::from(parts) / u64::from(PARTS)) as u32
    }
}

/// The rate of a step of one cycle, as a share of the peak.
fn share(step: u32, steps: u32, plateau: f64, top: f64, floor: f64) -> f64 {
    let done = f64::from(step + 1) / f64::from(steps);
    let warm = f64::from(step + 1) / f64::from(WARM_UP);
    let fall = ((done - plateau) / (1.0 - plateau)).clamp(0.0, 1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * fall).cos());
    warm.min(1.0) * (floor + (top - floor) * cosine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_stays_and_falls_three_times() {
        let schedule = Schedule {
            peak: 1.0,
            steps: 13_700,
        };
        assert!((schedule.rate(0) - 0.02).abs() < 1e-9);
        assert_eq!(schedule.rate(49), 1.0);
        assert_eq!(schedule.rate(1700), 1.0);
        assert!(schedule.rate(4000) < schedule.rate(3000));
        assert!((schedule.rate(5999) - 0.03).abs() < 1e-9);
        assert_eq!(schedule.second_cycle(), 6000);
        assert!(schedule.rate(6049) > 0.35 && schedule.rate(6049) <= 0.4);
        assert!(schedule.rate(10_000) < schedule.rate(8000));
        assert!((schedule.rate(11_999) - 0.003).abs() < 1e-9);
        assert!(schedule.rate(12_060) > 0.25 && schedule.rate(12_060) <= 0.3);
        assert!((schedule.rate(13_699) - 0.003).abs() < 1e-9);
    }
}
