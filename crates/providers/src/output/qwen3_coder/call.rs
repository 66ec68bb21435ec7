//! The arguments of a call, written as JSON while their text comes in.

use crate::output::argument::{Types, escaped, string};
use crate::output::call::Call;

/// An argument that is being read.
pub(super) enum Argument {
    /// A string, written as it comes.
    Text,
    /// A value that is written when all of its text is there.
    Value {
        /// Its name.
        key: String,
        /// What it may be.
        types: Types,
        /// Its text so far.
        text: String,
    },
}

impl Call {
    /// Begins the arguments.
    pub(super) fn begin(&mut self) {
        self.write("{");
    }

    /// Begins an argument.
    pub(super) fn open(&mut self, key: &str, types: Types) -> Argument {
        if types.only_string() {
            self.key(key);
            self.write("\"");
            return Argument::Text;
        }
        Argument::Value {
            key: key.to_owned(),
            types,
            text: String::new(),
        }
    }

    /// Takes more text of an argument.
    pub(super) fn extend(&mut self, argument: &mut Argument, piece: &str) {
        match argument {
            Argument::Text => self.write(&escaped(piece)),
            Argument::Value { text, .. } => text.push_str(piece),
        }
    }

    /// Ends an argument.
    pub(super) fn close(&mut self, argument: Argument) {
        match argument {
            Argument::Text => self.write("\""),
            Argument::Value { key, types, text } => {
                self.key(&key);
                self.write(&types.json(&text));
            }
        }
    }

    /// The output ends inside an argument: what there is of it becomes a string without an end.
    pub(super) fn cut(&mut self, argument: Argument) {
        if let Argument::Value { key, text, .. } = argument {
            self.key(&key);
            self.write("\"");
            self.write(&escaped(&text));
        }
    }

    /// The output ends inside the name of an argument.
    pub(super) fn cut_key(&mut self, key: &str) {
        self.separate();
        self.write("\"");
        self.write(&escaped(key));
    }

    /// No argument follows.
    pub(super) fn end(&mut self) {
        self.write("}");
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.write(&string(key));
        self.write(":");
    }

    fn separate(&mut self) {
        if self.arguments().len() > 1 {
            self.write(",");
        }
    }
}
