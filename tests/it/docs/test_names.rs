//! A test's name is a rule that a reader takes in at one glance.

use super::{imports::files, security::tests_in};

/// Where tests are read; a folder that is not there has none.
const FOLDERS: [&str; 4] = ["src", "tests/it", "tests/scripts", "crates"];
const WORDS_MAX: usize = 9;

/// The names of tests that have too many words.
fn long(text: &str) -> Vec<String> {
    let mut names = tests_in(text);
    // A row of a macro that makes tests: its name and a colon.
    let rows = text.lines().filter_map(|line| line.trim().strip_suffix(':'));
    names.extend(rows.filter(|row| row.chars().all(is_of_a_name)).map(str::to_owned));
    names.retain(|name| name.split('_').count() > WORDS_MAX);
    names
}

fn is_of_a_name(letter: char) -> bool {
    letter == '_' || letter.is_ascii_lowercase() || letter.is_ascii_digit()
}

#[test]
fn test_names_have_at_most_nine_words() {
    for folder in FOLDERS {
        for (path, text) in files(folder) {
            let long = long(&text);
            assert!(long.is_empty(), "{folder}/{path}: more than {WORDS_MAX} words: {long:#?}");
        }
    }
}

#[test]
fn long_test_name_is_found() {
    let nine = "a_b_c_d_e_f_g_h_i";
    let text = format!("#[test]\nfn {nine}() {{\n}}\n#[test]\nfn {nine}_j() {{\n}}\n{nine}_k:\n");
    assert_eq!(long(&text), [format!("{nine}_j"), format!("{nine}_k")]);
}
