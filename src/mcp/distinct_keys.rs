//! A key that stands twice in one JSON object: which one counts is unclear, so nothing is read of it.

use std::{cell::Cell, collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A key that some object of this JSON has twice. The error says why it is not JSON.
pub(super) fn repeated_key(json: &[u8]) -> Result<Option<String>, serde_json::Error> {
    let twice = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(json);
    Distinct(&twice).deserialize(&mut reader)?;
    reader.end()?;
    Ok(twice.take())
}

/// Reads any JSON and keeps the first key that is in one object twice.
struct Distinct<'a>(&'a Cell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Distinct<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Distinct(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value_seed(Distinct(self.0))?;
            if !keys.insert(key.clone()) {
                self.0.set(Some(key));
            }
        }
        Ok(())
    }
}
