//! How letters look at a terminal: weight, slant and one of the terminal's own colours.
//!
//! Colours are the eight that a terminal's theme defines, so that they are legible on light and dark ground alike.

/// How a letter looks; the default is the terminal's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) bold: bool,
    pub(super) faint: bool,
    pub(super) italic: bool,
    pub(super) underlined: bool,
    pub(super) struck: bool,
    pub(super) colour: Option<Colour>,
}

/// A colour of the terminal's theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Style {
    /// As the terminal shows letters by itself.
    pub(super) const PLAIN: Self = Self {
        bold: false,
        faint: false,
        italic: false,
        underlined: false,
        struck: false,
        colour: None,
    };

    /// Faint, for what stands beside an answer.
    pub(super) const FAINT: Self = Self {
        faint: true,
        ..Self::PLAIN
    };

    /// In a colour.
    pub(super) const fn of(colour: Colour) -> Self {
        Self {
            colour: Some(colour),
            ..Self::PLAIN
        }
    }

    /// In bold.
    #[must_use]
    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The two together; the colour of `self` gives way.
    #[must_use]
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            bold: self.bold || other.bold,
            faint: self.faint || other.faint,
            italic: self.italic || other.italic,
            underlined: self.underlined || other.underlined,
            struck: self.struck || other.struck,
            colour: other.colour.or(self.colour),
        }
    }

    /// Appends what turns a terminal from its own look to this one; nothing for the plain one.
    pub(super) fn begin(self, out: &mut String) {
        let flags = [
            (self.bold, "1"),
            (self.faint, "2"),
            (self.italic, "3"),
            (self.underlined, "4"),
            (self.struck, "9"),
        ];
        let codes = flags.into_iter().filter(|(set, _)| *set).map(|(_, code)| code);
        let codes: Vec<&str> = codes.chain(self.colour.map(Colour::code)).collect();
        if !codes.is_empty() {
            out.push_str("\u{1b}[");
            out.push_str(&codes.join(";"));
            out.push('m');
        }
    }

    /// Appends what turns a terminal from this look to its own.
    pub(super) fn end(self, out: &mut String) {
        if self != Self::PLAIN {
            out.push_str("\u{1b}[0m");
        }
    }

    /// `text` in this look, if the terminal has colours.
    pub(super) fn paint(self, text: &str, colours: bool) -> String {
        if !colours {
            return text.to_owned();
        }
        let mut painted = String::new();
        self.begin(&mut painted);
        painted.push_str(text);
        self.end(&mut painted);
        painted
    }
}

impl Colour {
    const fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_begun_and_ended() {
        let look = Style::of(Colour::Cyan).bold();
        assert_eq!(look.paint("a", true), "\u{1b}[1;36ma\u{1b}[0m");
        assert_eq!(look.paint("a", false), "a");
        assert_eq!(Style::PLAIN.paint("a", true), "a");
    }
}
