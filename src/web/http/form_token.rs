//! What every form of a session carries, so that no other site can send one. It follows from the
//! session's token and does not tell it; each page has its own, for pages are compressed (ADR 36).

use subtle::ConstantTimeEq as _;

use crate::domain::digest::Digest;

/// The size of what differs between the form tokens of a session, in bytes.
const SALT_BYTES: usize = 8;

/// What differs between the form tokens of a session.
pub(in crate::web) type Salt = [u8; SALT_BYTES];

/// The form token of the session with this token.
pub(super) fn make(session_token: &str, salt: Salt) -> String {
    let salt = format!("{:016x}", u64::from_be_bytes(salt));
    let text = format!("countersign form token\n{salt}\n{session_token}");
    format!("{salt}{}", Digest::of(text.as_bytes()))
}

/// Whether it is one of the session with this token.
pub(super) fn is_of(session_token: &str, form_token: &str) -> bool {
    let salt = form_token.as_bytes().first_chunk().and_then(|digits| {
        let digits: &[u8; 2 * SALT_BYTES] = digits;
        u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    });
    salt.is_some_and(|salt| {
        let own = make(session_token, salt.to_be_bytes());
        own.as_bytes().ct_eq(form_token.as_bytes()).into()
    })
}

#[cfg(test)]
mod tests {
    use super::{SALT_BYTES, is_of, make};
    use crate::domain::digest::Digest;

    #[test]
    fn form_token_belongs_to_its_own_session() {
        let salt = [7; SALT_BYTES];
        let own = make("one", salt);
        assert!(is_of("one", &own) && is_of("one", &make("one", [255; SALT_BYTES])));
        assert!(!is_of("one", &make("other", salt)));
        let (digits, digest) = own.split_at(2 * SALT_BYTES);
        let (plus, upper) = (format!("+{own}"), own.to_uppercase());
        for forged in ["", digits, digest, "é", &plus, &upper, &format!("{own}0")] {
            assert!(!is_of("one", forged), "{forged}");
        }
        assert!(!own.contains("one") && !own.contains(&Digest::of(b"one").to_string()));
    }
}
