//! Shapes of JSON that several interfaces share: a text or a list, a name or an object.
//!
//! They are read without a look ahead, so that what is wrong within them keeps its path.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use engine::Sampling;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, Object, Schema, SchemaType, Type};

use crate::error::Failure;

/// One text, or a list.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, remote = "Self")]
#[allow(
    dead_code,
    reason = "what is derived describes it; it is read by hand, with the paths of its faults"
)]
pub(crate) enum OneOrMany<T> {
    /// One text.
    One(String),
    /// A list.
    Many(Vec<T>),
}

impl OneOrMany<String> {
    /// All of the texts.
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// A name, or an object that says more.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged, remote = "Self")]
#[allow(
    dead_code,
    reason = "what is derived describes it; it is read by hand, with the paths of its faults"
)]
pub(crate) enum NameOr<N, T> {
    /// A name.
    Name(N),
    /// An object.
    Full(T),
}

impl<'de, N: Deserialize<'de>, T: Deserialize<'de>> Deserialize<'de> for NameOr<N, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<N, T>(PhantomData<(N, T)>);
        impl<'de, N: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for Reader<N, T> {
            type Value = NameOr<N, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an object")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                N::deserialize(serde::de::value::StrDeserializer::new(name)).map(NameOr::Name)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(NameOr::Full)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// Reads these types from objects alone: what is derived would take a list for their fields in order.
macro_rules! only_objects {
    ($($name:ident),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;
                impl<'de> serde::de::Visitor<'de> for Reader {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        $name::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    }
                }
                deserializer.deserialize_map(Reader)
            }
        }
    )+};
}
pub(crate) use only_objects;

/// Reads these types from strings alone: what is derived would take an object with one of their names as well, and say
/// of a number that it is no JSON.
macro_rules! only_words {
    ($($name:ident),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;
                impl<'de> serde::de::Visitor<'de> for Reader {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a string")
                    }

                    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<$name, E> {
                        $name::deserialize(serde::de::value::StrDeserializer::new(word))
                    }
                }
                deserializer.deserialize_str(Reader)
            }
        }
    )+};
}
pub(crate) use only_words;

/// What a field holds that may stand there and hold nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nothing;

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Nothing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, as it is not supported")
            }

            fn visit_unit<E: Error>(self) -> Result<Nothing, E> {
                Ok(Nothing)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The description of a field that may stand there and hold nothing.
pub(crate) fn null_schema() -> Schema {
    Schema::Object(Object::with_type(SchemaType::Type(Type::Null)))
}

/// The description of a field that may only say yes.
pub(crate) fn always_schema() -> Schema {
    settled_schema(true)
}

/// The description of a field that may only say no.
pub(crate) fn never_schema() -> Schema {
    settled_schema(false)
}

fn settled_schema(is_so: bool) -> Schema {
    let mut schema = Object::with_type(SchemaType::from_iter([Type::Boolean, Type::Null]));
    schema.enum_values = Some(vec![Value::Bool(is_so), Value::Null]);
    Schema::Object(schema)
}

/// The description of a list that may stand there and hold nothing.
pub(crate) fn empty_schema() -> Schema {
    let list = ArrayBuilder::new().items(Object::new()).max_items(Some(0));
    Schema::Array(
        list.schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
            .build(),
    )
}

/// The names of the fields that are there and change nothing.
pub(crate) fn unused<const N: usize>(fields: [(&'static str, bool); N]) -> Vec<&'static str> {
    fields
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(name, _)| name)
        .collect()
}

/// Refuses biases of one token by two of its names, such as `5` and `05`.
pub(crate) fn check_biases(sampling: &Sampling) -> Result<(), Failure> {
    let mut named = HashSet::new();
    match sampling
        .logit_bias
        .iter()
        .find(|(token, _)| !named.insert(*token))
    {
        Some((token, _)) => Err(Failure::field(
            "logit_bias",
            format!("logit_bias names token {token} twice, expected each once"),
        )),
        None => Ok(()),
    }
}

/// Refuses a list that holds nothing.
pub(crate) fn check_any<T>(field: &str, list: &[T]) -> Result<(), Failure> {
    if list.is_empty() {
        return Err(Failure::field(
            field,
            format!("{field} is [], expected at least one"),
        ));
    }
    Ok(())
}

/// Refuses a setting that is only known in its default, which is `harmless`.
pub(crate) fn only(field: &str, value: Option<&Value>, harmless: &Value) -> Result<(), Failure> {
    match value {
        Some(value) if value != harmless && !value.is_null() => Err(Failure::unsupported(
            field,
            format!("{field} is {value}, and only {harmless} is supported"),
        )),
        _ => Ok(()),
    }
}
