//! How tokens are drawn: cuts, penalties and biases, beside temperature and seed.
//!
//! The names are those of the requests that servers take; where llama.cpp's programs have others, those are understood too.

use clap::Args;
use engine::{Dry, Sampling, Xtc};

use crate::settings::{Bias, Factor, Finite, Growth, Penalty, Settings, SettingsError, Share, Window};

/// How tokens are drawn.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct SamplingArguments {
    /// Draws from this many of the most probable tokens; 0 is all [default: the model's, or 40]
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    top_k: Option<u32>,
    /// Draws from the most probable tokens that have this probability together; 1 is all [default: the model's, or 0.95]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<Share>,
    /// Leaves out tokens of less than this share of the best one's probability; 0 is none [default: the model's, or 0.05]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    min_p: Option<Share>,
    /// Draws from the most typical tokens that have this probability together; 1 is all [default: 1]
    #[arg(
        long,
        value_name = "P",
        allow_negative_numbers = true,
        visible_alias = "typical"
    )]
    typical_p: Option<Share>,
    /// Leaves out logits that are more than N standard deviations below the largest; 0 is none [default: 0]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        visible_alias = "top-nsigma"
    )]
    top_n_sigma: Option<Finite>,
    /// Makes what was said already less probable: 0.01 to 100, 1 changes nothing [default: the model's, or 1]
    #[arg(
        long,
        value_name = "F",
        allow_negative_numbers = true,
        visible_alias = "repeat-penalty"
    )]
    repetition_penalty: Option<Factor>,
    /// Takes this from a logit once for each time that its token was said: -2 to 2 [default: the model's, or 0]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    frequency_penalty: Option<Penalty>,
    /// Takes this from the logit of every token that was said at all: -2 to 2 [default: the model's, or 0]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    presence_penalty: Option<Penalty>,
    /// Tokens that the three penalties look back on; -1 is all, 0 is none [default: 64]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        visible_alias = "repeat-last-n"
    )]
    penalty_window: Option<Window>,
    /// DRY: how much it costs to go on with what was said before; 0 is nothing [default: 0]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    dry_multiplier: Option<f32>,
    /// DRY: by what the cost grows with each token [default: 1.75]
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    dry_base: Option<Growth>,
    /// DRY: repetitions that are shorter cost nothing [default: 2]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    dry_allowed_length: Option<u32>,
    /// DRY: tokens that it looks back on; -1 is all, 0 is none [default: -1]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        visible_alias = "dry-penalty-last-n"
    )]
    dry_window: Option<Window>,
    /// DRY: a text that no repetition reaches across; several times for several [default: a line's end, : " and *]
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        visible_alias = "dry-sequence-breaker"
    )]
    dry_breakers: Option<Vec<String>>,
    /// XTC: how often the most probable tokens are left out, 0 to 1 [default: 0]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    xtc_probability: Option<Share>,
    /// XTC: from which probability on a token is one of them, 0 to 1 [default: 0.1]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    xtc_threshold: Option<Share>,
    /// Adds to the logit of a token, by its number in `wick tokenize`; -100 bans it. Several times for several
    #[arg(long, value_name = "TOKEN=BIAS", value_parser = Bias::of_flag)]
    logit_bias: Option<Vec<Bias>>,
}

impl SamplingArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read.
    pub(super) fn settle(&mut self, settings: &mut Settings) -> Result<(), SettingsError> {
        settings.fill("top_k", &mut self.top_k)?;
        settings.fill("top_p", &mut self.top_p)?;
        settings.fill("min_p", &mut self.min_p)?;
        settings.fill("typical_p", &mut self.typical_p)?;
        settings.fill("top_n_sigma", &mut self.top_n_sigma)?;
        settings.fill("repetition_penalty", &mut self.repetition_penalty)?;
        settings.fill("frequency_penalty", &mut self.frequency_penalty)?;
        settings.fill("presence_penalty", &mut self.presence_penalty)?;
        settings.fill("penalty_window", &mut self.penalty_window)?;
        settings.fill("dry_multiplier", &mut self.dry_multiplier)?;
        settings.fill("dry_base", &mut self.dry_base)?;
        settings.fill("dry_allowed_length", &mut self.dry_allowed_length)?;
        settings.fill("dry_window", &mut self.dry_window)?;
        settings.fill("dry_breakers", &mut self.dry_breakers)?;
        settings.fill("xtc_probability", &mut self.xtc_probability)?;
        settings.fill("xtc_threshold", &mut self.xtc_threshold)?;
        settings.fill("logit_bias", &mut self.logit_bias).map(drop)
    }

    /// What a request says of it.
    pub(super) fn sampling(&self) -> Sampling {
        Sampling {
            top_k: self.top_k,
            top_p: self.top_p.map(Share::get),
            min_p: self.min_p.map(Share::get),
            typical_p: self.typical_p.map(Share::get),
            top_n_sigma: self.top_n_sigma.map(Finite::get),
            repetition_penalty: self.repetition_penalty.map(Factor::get),
            frequency_penalty: self.frequency_penalty.map(Penalty::get),
            presence_penalty: self.presence_penalty.map(Penalty::get),
            penalty_window: self.penalty_window.map(Window::get),
            dry: Dry {
                multiplier: self.dry_multiplier,
                base: self.dry_base.map(Growth::get),
                allowed_length: self.dry_allowed_length,
                window: self.dry_window.map(Window::get),
                breakers: self.dry_breakers.clone(),
            },
            xtc: Xtc {
                probability: self.xtc_probability.map(Share::get),
                threshold: self.xtc_threshold.map(Share::get),
            },
            logit_bias: self.logit_bias.iter().flatten().map(|bias| bias.get()).collect(),
        }
    }
}
