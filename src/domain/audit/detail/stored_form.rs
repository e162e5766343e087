//! How single fields are written where their type's own form is another one.

/// A moment as `2026-11-22T10:33:07.000Z`.
pub(super) mod milliseconds {
    use chrono::SecondsFormat;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::domain::Time;

    pub(in super::super) fn serialize<S: Serializer>(
        time: &Time,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Time, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// [`milliseconds`], or null.
pub(super) mod maybe_milliseconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::Time;

    #[derive(Serialize, Deserialize)]
    struct Moment(#[serde(with = "super::milliseconds")] Time);

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(in super::super) fn serialize<S: Serializer>(
        time: &Option<Time>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Moment).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Time>, D::Error> {
        Ok(Option::<Moment>::deserialize(deserializer)?.map(|Moment(time)| time))
    }
}

/// A moment as `2026-11-22T10:33:07.123456+00:00`, with as many digits as it needs.
pub(super) mod full_time {
    use serde::Serializer;

    pub(in super::super) use super::milliseconds::deserialize;
    use crate::domain::Time;

    pub(in super::super) fn serialize<S: Serializer>(
        time: &Time,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339())
    }
}
