//! Typed ids. Each prints with its kind in front, so that a mix-up shows at a glance.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

/// Text that is no id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not an id of the form {prefix}_ and 32 hexadecimal digits")]
pub struct NotAnId {
    prefix: &'static str,
    value: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32)
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .filter(|id| id.to_string() == text)
                    .ok_or_else(|| NotAnId { prefix: $prefix, value: text.chars().take(80).collect() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

id!(
    /// A request. Ordered by the time of asking (UUID version 7, RFC 9562).
    RequestId, "req"
);
id!(
    /// One call to the manager.
    AttemptId, "att"
);
id!(
    /// A person who signs in on the page.
    PersonId, "per"
);
id!(
    /// An LLM client.
    AgentId, "agt"
);
id!(
    /// Several requests under one heading, in an order.
    PlanId, "pln"
);

id!(
    /// A passkey of a person.
    PasskeyId, "key"
);
id!(
    /// A token of a person or service for the API.
    ApiTokenId, "tok"
);

impl ApiTokenId {
    /// The number alone.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_of_another_kind_is_refused() {
        let request = RequestId::from(Uuid::from_u128(7));
        assert_eq!(request.to_string().parse::<RequestId>(), Ok(request));
        assert!(request.to_string().parse::<AgentId>().is_err());
        assert!(request.to_string().to_uppercase().parse::<RequestId>().is_err());
    }
}
