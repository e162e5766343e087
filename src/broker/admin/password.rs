//! Passwords: how long they are, and secrets that are typed once.

use crate::{broker::BrokerError, clock::Clock, domain::actor::password_length_allowed};

/// What people choose when a password must be long, in small letters and digits alone.
const USUAL: [&str; 40] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "1234567890qwerty",
    "0987654321qwerty",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "zaq12wsxcde3",
    "qwerty123456",
    "qwerty1234567",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopasdf",
    "asdfghjkl123",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "mypassword123",
    "passw0rd1234",
    "p4ssw0rd1234",
    "letmein12345",
    "letmeinletmein",
    "welcome12345",
    "welcome123456",
    "changeme1234",
    "changeme12345",
    "changemechangeme",
    "iloveyou1234",
    "administrator",
    "administrator1",
    "administrator123",
    "adminadminadmin",
    "admin12345678",
    "countersign1",
    "countersign123",
    "countersign1234",
    "wazuhwazuhwazuh",
];
/// What is repeated to make a password long has more characters than this.
const REPEATED_MAX: usize = 6;
/// Without the own name so many characters must be left.
const BESIDE_NAME_MIN: usize = 8;

/// Refuses what is too short or too long, and what is guessed first.
pub(super) fn check_strength(name: &str, password: &str) -> Result<(), BrokerError> {
    if !password_length_allowed(password) {
        return Err(BrokerError::WeakPassword);
    }
    let plain = plain(password);
    let name = self::plain(name);
    let named = name.chars().count() >= 2 && plain.contains(&name);
    let beside = if named { plain.replace(&name, "").chars().count() } else { usize::MAX };
    let usual = USUAL.contains(&plain.as_str()) || is_repetition(password);
    if usual || beside < BESIDE_NAME_MIN { Err(BrokerError::UsualPassword) } else { Ok(()) }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a few characters are repeated from the beginning to the end.
fn is_repetition(password: &str) -> bool {
    let all: Vec<char> = password.chars().collect();
    (1..=REPEATED_MAX).any(|period| all.iter().zip(all.iter().skip(period)).all(|(a, b)| a == b))
}

/// A secret that a person types once: 96 bits, in groups of four digits.
pub(super) fn one_time_secret(clock: &Clock) -> String {
    let digits: Vec<_> = clock.secret().chars().take(24).collect();
    digits.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_passwords_and_own_name_are_refused() {
        for password in [
            "aaaaaaaaaaaa",
            "alicealicealice",
            "Alice-alice-2026",
            "password1234",
            "Pass-Word-1234",
            "abcabcabcabc",
        ] {
            let refused = check_strength("alice", password);
            assert!(matches!(refused, Err(BrokerError::UsualPassword)), "{password}");
        }
        for password in ["correct horse battery", "alice has a wonderful day", "x7-long-enough"] {
            assert!(check_strength("alice", password).is_ok(), "{password}");
        }
        assert!(matches!(check_strength("alice", "short"), Err(BrokerError::WeakPassword)));
    }
}
