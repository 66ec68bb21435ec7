//! Which experts a token goes to, and with what weights: the same decision on every backend.
//!
//! # Source
//!
//! Qwen3-MoE: softmax over all experts, then the best. DeepSeek-V3 technical report, section 2.1.2: sigmoid
//! scores, a bias that chooses and does not weigh, groups of experts limited by the sum of their two best.

use std::cmp::Ordering;

/// How a layer routes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Routing {
    /// Experts of the layer.
    pub experts: usize,
    /// Experts that a token goes to; at most `experts`.
    pub used: usize,
    pub scoring: Scoring,
    /// Equal parts that the experts are divided into; divides `experts`.
    pub groups: usize,
    /// Groups that a token may choose from; at most `groups`.
    pub groups_used: usize,
    /// Whether the weights of the chosen are divided by their sum.
    pub normalise: bool,
    /// Factor of every weight.
    pub scale: f32,
}

/// How a score becomes a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scoring {
    Softmax,
    Sigmoid,
}

/// An expert and the weight of its output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Choice {
    pub expert: usize,
    pub weight: f32,
}

/// Memory of a choice, kept from one to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranks {
    ranked: Vec<(usize, f32)>,
    groups: Vec<(usize, f32)>,
}

impl Routing {
    /// Appends the choices of one token to `out`, best first; equal scores go to the lower expert.
    ///
    /// * `scores`: shape `(experts,)`, overwritten.
    /// * `bias`: shape `(experts,)`, added for choosing alone.
    pub(crate) fn choose(
        &self,
        scores: &mut [f32],
        bias: Option<&[f32]>,
        ranks: &mut Ranks,
        out: &mut Vec<Choice>,
    ) {
        self.scoring.apply(scores);
        let biased = |expert: usize| scores[expert] + bias.map_or(0.0, |bias| bias[expert]);
        let Ranks { ranked, groups } = ranks;
        ranked.clear();
        ranked.extend((0..scores.len()).map(|expert| (expert, biased(expert))));
        if self.groups > 1 {
            self.limit_groups(ranked, groups);
        }
        ranked.sort_unstable_by(best_first);
        let chosen = &ranked[..self.used.min(ranked.len())];
        let sum: f32 = chosen.iter().map(|&(expert, _)| scores[expert]).sum();
        let divisor = if self.normalise {
            sum.max(f32::MIN_POSITIVE)
        } else {
            1.0
        };
        let weight = |expert: usize| scores[expert] / divisor * self.scale;
        out.extend(chosen.iter().map(|&(expert, _)| Choice {
            expert,
            weight: weight(expert),
        }));
    }

    /// Keeps the experts of the groups whose two best scores have the largest sums.
    fn limit_groups(&self, ranked: &mut Vec<(usize, f32)>, groups: &mut Vec<(usize, f32)>) {
        let size = ranked.len() / self.groups;
        groups.clear();
        groups.extend(ranked.chunks(size).enumerate().map(|(group, scores)| {
            let largest = |without: Option<usize>| {
                let others = scores.iter().filter(|(expert, _)| Some(*expert) != without);
                others.min_by(|a, b| best_first(a, b)).copied()
            };
            let first = largest(None);
            let second = first.and_then(|(expert, _)| largest(Some(expert)));
            let score = |ranked: Option<(usize, f32)>| ranked.map_or(0.0, |(_, score)| score);
            (group, score(first) + score(second))
        }));
        groups.sort_unstable_by(best_first);
        groups.truncate(self.groups_used);
        ranked.retain(|(expert, _)| groups.iter().any(|(group, _)| *group == expert / size));
    }
}

fn best_first(a: &(usize, f32), b: &(usize, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

impl Scoring {
    fn apply(self, scores: &mut [f32]) {
        match self {
            Self::Sigmoid => scores.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
            Self::Softmax => {
                let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                scores.iter_mut().for_each(|x| *x = (*x - max).exp());
                let sum: f32 = scores.iter().sum();
                scores.iter_mut().for_each(|x| *x /= sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid_of(used: usize) -> Routing {
        let (groups, groups_used) = (1, 1);
        Routing {
            experts: 4,
            used,
            scoring: Scoring::Sigmoid,
            groups,
            groups_used,
            normalise: false,
            scale: 1.0,
        }
    }

    fn choose(routing: &Routing, scores: &[f32], bias: Option<&[f32]>) -> Vec<Choice> {
        let mut out = Vec::new();
        routing.choose(&mut scores.to_vec(), bias, &mut Ranks::default(), &mut out);
        out
    }

    #[test]
    fn the_bias_chooses_and_does_not_weigh() {
        let chosen = choose(&sigmoid_of(1), &[2.0, 0.0, 0.0, 0.0], Some(&[0.0, 0.0, 5.0, 0.0]));
        assert_eq!(
            chosen,
            [Choice {
                expert: 2,
                weight: 0.5
            }]
        );
    }

    #[test]
    fn equal_scores_go_to_the_lower_expert() {
        let experts: Vec<usize> = choose(&sigmoid_of(2), &[1.0; 4], None)
            .iter()
            .map(|c| c.expert)
            .collect();
        assert_eq!(experts, [0, 1]);
    }

    #[test]
    fn normalised_weights_sum_to_the_scale() {
        let routing = Routing {
            normalise: true,
            scale: 2.5,
            scoring: Scoring::Softmax,
            ..sigmoid_of(3)
        };
        let sum: f32 = choose(&routing, &[3.0, -1.0, 0.5, 2.0], None)
            .iter()
            .map(|c| c.weight)
            .sum();
        assert!((sum - 2.5).abs() < 1e-6);
    }

    #[test]
    fn a_group_is_kept_by_its_two_best_and_not_by_its_best() {
        let routing = Routing {
            groups: 2,
            groups_used: 1,
            ..sigmoid_of(2)
        };
        let experts: Vec<usize> = choose(&routing, &[4.0, -9.0, 3.0, 3.0], None)
            .iter()
            .map(|c| c.expert)
            .collect();
        assert_eq!(experts, [2, 3]);
    }
}
