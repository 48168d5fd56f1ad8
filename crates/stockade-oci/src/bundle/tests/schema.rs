//! Whether every field that the specification's types have is in the list.

use std::collections::BTreeSet;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::*;
use crate::bundle::fields::FIELDS;

/// Fields of `oci-spec` that no version of the specification has: it says so itself.
const NEVER: [&str; 2] = ["uidMappings", "gidMappings"];

#[test]
fn every_field_of_the_types_is_listed_or_in_what_is_refused() {
    let rows: Vec<Row> = FIELDS.to_vec();
    assert_eq!(missing(&rows), [""; 0], "not in the list");
}

/// What is in an object with names of the config's own is read by the types alone.
#[test]
fn every_field_of_the_types_is_listed_for_the_runtime_too() {
    let rows: Vec<Row> = crate::bundle::runtime::fields().collect();
    let mut missing = missing(&rows);
    let named = ["linux.resources.rdma.*.", "linux.timeOffsets.*."];
    missing.retain(|field| !named.iter().any(|object| field.starts_with(object)));
    assert_eq!(missing, [""; 0], "not in the list");
}

/// The fields of the types that are neither in a list nor in what it refuses.
fn missing(rows: &[Row]) -> Vec<String> {
    let mut fields = BTreeSet::new();
    let tracer = Tracer { path: String::new(), fields: &mut fields };
    oci_spec::runtime::Spec::deserialize(tracer).expect("every type is driven");
    // It has gone to the depths.
    for deep in ["linux.seccomp.syscalls[].args[].valueTwo", "hooks.poststop[].timeout"] {
        assert!(fields.contains(deep), "{deep} in {fields:?}");
    }
    let listed: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    let refused = rows.iter().filter(|row| row.treatment == Treatment::Refused);
    let refused: Vec<&str> = refused.map(|row| row.name).collect();
    let covered = |field: &str| {
        listed.contains(field)
            || NEVER.iter().any(|whole| field.starts_with(whole))
            || refused.iter().any(|whole| {
                field.strip_prefix(whole).is_some_and(|rest| rest.starts_with(['.', '[']))
            })
    };
    fields.into_iter().filter(|field| !covered(field)).collect()
}

/// Drives a type's `Deserialize` through all its fields, and writes their paths down.
struct Tracer<'a> {
    path: String,
    fields: &'a mut BTreeSet<String>,
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(true)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(1)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(1)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(1)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(1)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u16(1)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // Two types look into their texts.
        visitor.visit_str(if self.path.contains("CPUAffinity") { "0" } else { "CAP_KILL" })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let path = format!("{}[]", self.path);
        visitor.visit_seq(Once(Some(Tracer { path, fields: self.fields })))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let path = format!("{}.*", self.path);
        visitor.visit_map(Members { names: &["name"], path, fields: self.fields, named: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Members { names, path: self.path, fields: self.fields, named: true })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(Variant(variants[0]))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple
        tuple_struct identifier ignored_any
    }
}

struct Once<'a>(Option<Tracer<'a>>);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|tracer| seed.deserialize(tracer)).transpose()
    }
}

struct Members<'a> {
    names: &'static [&'static str],
    path: String,
    fields: &'a mut BTreeSet<String>,
    /// Whether they are fields of a type, rather than keys of a map.
    named: bool,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.names.first() else { return Ok(None) };
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let (name, rest) = self.names.split_first().expect("a key came before");
        self.names = rest;
        let path = match (self.named, self.path.as_str()) {
            (false, path) => path.to_owned(),
            (true, "") => (*name).to_owned(),
            (true, path) => format!("{path}.{name}"),
        };
        if self.named {
            self.fields.insert(path.clone());
        }
        seed.deserialize(Tracer { path, fields: &mut *self.fields })
    }
}

struct Variant(&'static str);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Unit;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Unit), Error> {
        let name: StrDeserializer<'_, Error> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, Unit))
    }
}

struct Unit;

impl<'de> VariantAccess<'de> for Unit {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(serde::de::Error::custom("only names are expected"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("only names are expected"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("only names are expected"))
    }
}
