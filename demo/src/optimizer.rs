//! AdamW whose state can be saved, so that a run can be resumed to the same bits.
//!
//! The optimizer of candle-nn keeps its moments to itself; this one computes the same update (a test compares them)
//! in one pass over each variable, and its moments are tensors that a checkpoint holds.
//!
//! Source: Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2019.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;

/// Numbers that a task takes at once.
const BLOCK: usize = 1 << 15;

/// What an update depends on, the learning rate aside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hyperparameters {
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Keeps the division apart from zero.
    pub epsilon: f64,
    /// Share of a matrix that is taken away per unit of learning rate; vectors keep theirs.
    pub weight_decay: f64,
    /// Gradients longer than this, over all variables, are shortened to it.
    pub clip: f64,
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.05,
            clip: 1.0,
        }
    }
}

/// Moments of one variable.
#[derive(Debug)]
struct Moments {
    first: Vec<f32>,
    second: Vec<f32>,
}

/// The optimizer and its state.
#[derive(Debug)]
pub struct AdamW {
    hyperparameters: Hyperparameters,
    moments: BTreeMap<String, Moments>,
    steps: u32,
}

impl AdamW {
    /// An optimizer that has taken no step.
    pub fn new(variables: &BTreeMap<String, Var>, hyperparameters: Hyperparameters) -> Self {
        let zeros = |variable: &Var| Moments {
            first: vec![0.0; variable.elem_count()],
            second: vec![0.0; variable.elem_count()],
        };
        let moments = variables
            .iter()
            .map(|(name, variable)| (name.clone(), zeros(variable)));
        Self {
            hyperparameters,
            moments: moments.collect(),
            steps: 0,
        }
    }

    /// Takes one step along `gradients`; their length before it was clipped.
    ///
    /// # Errors
    ///
    /// A gradient that is missing, and those of candle.
    pub fn step(
        &mut self,
        variables: &BTreeMap<String, Var>,
        gradients: &BTreeMap<String, Tensor>,
        learning_rate: f64,
    ) -> Result<f64> {
        let mut flat = BTreeMap::new();
        for (name, gradient) in gradients {
            flat.insert(name.as_str(), gradient.flatten_all()?.to_vec1::<f32>()?);
        }
        let squares: Vec<f64> = flat
            .par_iter()
            .map(|(_, gradient)| gradient.iter().map(|g| f64::from(*g).powi(2)).sum())
            .collect();
        let length = squares.iter().sum::<f64>().sqrt();
        ensure!(length.is_finite(), "the gradient has the length {length}");
        let clipped = (self.hyperparameters.clip / length.max(f64::MIN_POSITIVE)).min(1.0);
        self.steps += 1;
        for (name, variable) in variables {
            let gradient = flat
                .get(name.as_str())
                .with_context(|| format!("no gradient of `{name}`"))?;
            let moments = self
                .moments
                .get_mut(name)
                .with_context(|| format!("no moments of `{name}`"))?;
            let decay = if variable.rank() > 1 {
                self.hyperparameters.weight_decay
            } else {
                0.0
            };
            let update = Update::new(&self.hyperparameters, self.steps, learning_rate, decay, clipped);
            let mut numbers = variable.flatten_all()?.to_vec1::<f32>()?;
            numbers
                .par_chunks_mut(BLOCK)
                .zip(
                    moments
                        .first
                        .par_chunks_mut(BLOCK)
                        .zip(moments.second.par_chunks_mut(BLOCK)),
                )
                .zip(gradient.par_chunks(BLOCK))
                .for_each(|((numbers, (first, second)), gradient)| {
                    update.apply(numbers, first, second, gradient);
                });
            variable.set(&Tensor::from_vec(numbers, variable.dims(), &Device::Cpu)?)?;
        }
        Ok(length)
    }

    /// The moments as tensors, `first.NAME` and `second.NAME`.
    ///
    /// # Errors
    ///
    /// Those of candle.
    pub fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for (name, moments) in &self.moments {
            let tensor = |numbers: &[f32]| Tensor::new(numbers, &Device::Cpu);
            state.insert(format!("first.{name}"), tensor(&moments.first)?);
            state.insert(format!("second.{name}"), tensor(&moments.second)?);
        }
        Ok(state)
    }

    /// Takes up the state of an optimizer that had taken `steps`.
    ///
    /// # Errors
    ///
    /// A moment that is missing or of another size.
    pub fn restore(&mut self, state: &HashMap<String, Tensor>, steps: u32) -> Result<()> {
        for (name, moments) in &mut self.moments {
            for (kind, to) in [("first", &mut moments.first), ("second", &mut moments.second)] {
                let key = format!("{kind}.{name}");
                let saved = state.get(&key).with_context(|| format!("no moment `{key}`"))?;
                let saved = saved.to_vec1::<f32>()?;
                anyhow::ensure!(
                    saved.len() == to.len(),
                    "moment `{key}` has {} numbers",
                    saved.len()
                );
                *to = saved;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

/// One step for one variable.
struct Update {
    clipped: f32,
    beta1: f32,
    beta2: f32,
    /// One over what the moments lack, since they began at zero.
    scale1: f32,
    scale2: f32,
    epsilon: f32,
    learning_rate: f32,
    kept: f32,
}

impl Update {
    fn new(h: &Hyperparameters, step: u32, learning_rate: f64, decay: f64, clipped: f64) -> Self {
        Self {
            clipped: clipped as f32,
            beta1: h.beta1 as f32,
            beta2: h.beta2 as f32,
            scale1: (1.0 / (1.0 - h.beta1.powi(step as i32))) as f32,
            scale2: (1.0 / (1.0 - h.beta2.powi(step as i32))) as f32,
            epsilon: h.epsilon as f32,
            learning_rate: learning_rate as f32,
            kept: (1.0 - learning_rate * decay) as f32,
        }
    }

    fn apply(&self, numbers: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]) {
        for (((number, m), v), g) in numbers.iter_mut().zip(first).zip(second).zip(gradient) {
            let g = g * self.clipped;
            *m = *m * self.beta1 + g * (1.0 - self.beta1);
            *v = *v * self.beta2 + g * g * (1.0 - self.beta2);
            let slope = *m * self.scale1 / ((*v * self.scale2).sqrt() + self.epsilon);
            *number = *number * self.kept - slope * self.learning_rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_nn::{Optimizer as _, ParamsAdamW};

    use super::*;

    fn variable() -> Var {
        Var::from_tensor(&Tensor::new(&[[0.5f32, -1.0], [2.0, 0.1]], &Device::Cpu).unwrap()).unwrap()
    }

    fn loss(variable: &Var) -> Tensor {
        (variable.as_tensor() - 0.3)
            .unwrap()
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap()
    }

    #[test]
    fn updates_are_those_of_candle() {
        let (ours, theirs) = (variable(), variable());
        let h = Hyperparameters {
            clip: f64::INFINITY,
            ..Hyperparameters::default()
        };
        let variables = BTreeMap::from([("w".to_owned(), ours.clone())]);
        let mut our_optimizer = AdamW::new(&variables, h);
        let params = ParamsAdamW {
            lr: 0.01,
            beta1: h.beta1,
            beta2: h.beta2,
            eps: h.epsilon,
            weight_decay: h.weight_decay,
        };
        let mut their_optimizer = candle_nn::AdamW::new(vec![theirs.clone()], params).unwrap();
        for _ in 0..20 {
            let store = loss(&ours).backward().unwrap();
            let gradients = BTreeMap::from([("w".to_owned(), store.get(&ours).unwrap().clone())]);
            our_optimizer.step(&variables, &gradients, 0.01).unwrap();
            their_optimizer.step(&loss(&theirs).backward().unwrap()).unwrap();
        }
        let flat = |var: &Var| var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (a, b) in flat(&ours).iter().zip(flat(&theirs)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn vectors_do_not_decay_and_long_gradients_are_shortened() {
        let ones = |shape: &[usize]| Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
        let variables = BTreeMap::from([
            ("matrix".to_owned(), Var::from_tensor(&ones(&[2, 2])).unwrap()),
            ("vector".to_owned(), Var::from_tensor(&ones(&[2])).unwrap()),
        ]);
        let mut optimizer = AdamW::new(&variables, Hyperparameters::default());
        let still = |length: f64| {
            BTreeMap::from([
                ("matrix".to_owned(), (ones(&[2, 2]) * length).unwrap()),
                ("vector".to_owned(), ones(&[2]).zeros_like().unwrap()),
            ])
        };
        let length = optimizer.step(&variables, &still(0.0), 0.1).unwrap();
        let first = |name: &str| variables[name].flatten_all().unwrap().to_vec1::<f32>().unwrap()[0];
        assert_eq!(length, 0.0);
        assert_eq!((first("matrix"), first("vector")), (0.995, 1.0));
        assert_eq!(optimizer.step(&variables, &still(500.0), 0.1).unwrap(), 1000.0);
        // Shortened to a length of 1, each of its four numbers is 0.5, a tenth of which enters the moment.
        assert!((optimizer.moments["matrix"].first[0] - 0.05).abs() < 1e-6);
        assert!(optimizer.step(&variables, &still(f64::NAN), 0.1).is_err());
    }

    #[test]
    fn a_restored_state_goes_on_to_the_same_bits() {
        let run = |interrupted: bool| {
            let variables = BTreeMap::from([("w".to_owned(), variable())]);
            let mut optimizer = AdamW::new(&variables, Hyperparameters::default());
            for step in 0..10 {
                if interrupted && step == 5 {
                    let state = optimizer.state().unwrap();
                    optimizer = AdamW::new(&variables, Hyperparameters::default());
                    optimizer.restore(&state, step).unwrap();
                }
                let store = loss(&variables["w"]).backward().unwrap();
                let gradients =
                    BTreeMap::from([("w".to_owned(), store.get(&variables["w"]).unwrap().clone())]);
                optimizer.step(&variables, &gradients, 0.01).unwrap();
            }
            variables["w"].flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(run(false), run(true));
    }
}
