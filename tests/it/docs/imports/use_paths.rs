//! Reads Rust text as far as imports need it: comments and strings left out, paths followed to
//! the root of the crate.

/// Something outside the module that a file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    /// A module of this crate, or whatever else stands behind `crate::`.
    Module(String),
    /// An outside crate.
    Outside(String),
}

/// All that a file names, without repetition. `modules` is where the file stands in the crate;
/// `outside` are the crates to look for. Modules under `#[cfg(test)]` are left out.
pub(super) fn mentions(modules: &[&str], text: &str, outside: &[&str]) -> Vec<Mention> {
    let tokens = without_test_modules(&tokens(text));
    let at_root = matches!(modules, ["lib" | "main"]);
    let file_depth = if at_root { 0 } else { modules.len() };
    let mut found = Vec::new();
    // Modules written inside the file, each with the number of braces open around it.
    let mut inner: Vec<usize> = Vec::new();
    let mut braces = 0_usize;
    for (place, token) in tokens.iter().enumerate() {
        let (before, rest) = tokens.split_at(place);
        match token.as_str() {
            "mod" if is(rest.get(2), "{") => inner.push(braces),
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                inner.pop_if(|around| *around == braces);
            }
            _ => {}
        }
        let path = is(rest.get(1), "::") || is(rest.get(1), "as");
        let from = matches!(token.as_str(), "crate" | "countersign" | "super" | "self");
        if path && from && !continues_a_path(before) {
            let names = follow(rest, file_depth + inner.len());
            found.extend(names.into_iter().map(Mention::Module));
        } else if outside.contains(&token.as_str()) && !is(before.last(), ".") {
            found.push(Mention::Outside(token.clone()));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn is(token: Option<&String>, text: &str) -> bool {
    token.is_some_and(|token| token == text)
}

/// Whether what comes next belongs to a path that began earlier.
fn continues_a_path(before: &[String]) -> bool {
    matches!(before, [.., name, colons] if colons == "::" && name.starts_with(is_name))
}

/// What the path, or the tree of paths, at the start of `tokens` leads to at the root of the
/// crate; nothing when it ends elsewhere. `depth` is how many times `super` leads to the root.
fn follow(tokens: &[String], depth: usize) -> Vec<String> {
    let Some((first, rest)) = tokens.split_first() else { return Vec::new() };
    let depth = match first.as_str() {
        "{" => return branches(rest).into_iter().flat_map(|path| follow(path, depth)).collect(),
        "crate" | "countersign" => 0,
        "super" => depth.saturating_sub(1),
        "self" => depth,
        "*" if depth == 0 => return vec!["the root of the crate".to_owned()],
        name if depth == 0 && name.starts_with(is_name) => return vec![name.to_owned()],
        _ => return Vec::new(),
    };
    match rest.split_first() {
        Some((colons, path)) if colons == "::" => follow(path, depth),
        _ if depth == 0 => vec!["the root of the crate".to_owned()],
        _ => Vec::new(),
    }
}

/// The parts between the commas of a tree, whose opening brace has been read.
fn branches(tokens: &[String]) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let (mut start, mut open) = (0, 0_usize);
    for (place, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => open += 1,
            "}" if open > 0 => open -= 1,
            "}" | "," if open == 0 => {
                parts.push(&tokens[start..place]);
                start = place + 1;
                if token == "}" {
                    break;
                }
            }
            _ => {}
        }
    }
    parts
}

fn without_test_modules(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        let marked = rest.iter().zip(MARK).filter(|(token, mark)| *token == mark).count();
        let item = rest.get(MARK.len()..).unwrap_or_default();
        if marked == MARK.len() && is(item.first(), "mod") && is(item.get(2), "{") {
            rest = after_braces(item);
        } else {
            kept.push(token.clone());
            rest = after;
        }
    }
    kept
}

/// What follows the first pair of braces.
fn after_braces(tokens: &[String]) -> &[String] {
    let mut open = 0_usize;
    for (place, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => open += 1,
            "}" if open == 1 => return &tokens[place + 1..],
            "}" => open = open.saturating_sub(1),
            _ => {}
        }
    }
    &[]
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Words, `::` and single signs; no comments, no strings, no lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut rest = letters.as_slice();
    let mut tokens = Vec::new();
    while let Some(first) = rest.first() {
        let skipped = skipped(rest);
        let length = match skipped {
            0 if is_name(*first) => word(rest),
            0 if begins(rest, "::") => 2,
            0 => 1,
            _ => skipped,
        };
        if skipped == 0 && !first.is_whitespace() {
            tokens.push(rest[..length].iter().collect());
        }
        rest = &rest[length..];
    }
    tokens
}

fn begins(text: &[char], start: &str) -> bool {
    start.chars().enumerate().all(|(place, letter)| text.get(place) == Some(&letter))
}

/// How many letters at the start belong to one word.
fn word(text: &[char]) -> usize {
    text.iter().take_while(|letter| is_name(**letter)).count()
}

/// How many letters at the start are a comment, a string, a character or a lifetime.
fn skipped(text: &[char]) -> usize {
    if begins(text, "//") {
        return text.iter().take_while(|letter| **letter != '\n').count();
    }
    if begins(text, "/*") {
        return block_comment(text);
    }
    if let ['\'', rest @ ..] = text {
        return match rest {
            ['\\', ..] | [_, '\'', ..] => until_quote(text, '\''),
            _ => 1 + word(rest),
        };
    }
    string(text)
}

/// The length of a string of any kind; nought when there is none.
fn string(text: &[char]) -> usize {
    let prefix = ["br", "cr", "r", "b", "c"].into_iter().find(|prefix| {
        let after = &text[text.len().min(prefix.len())..];
        begins(text, prefix) && matches!(after.first(), Some('"' | '#'))
    });
    let prefix = prefix.unwrap_or("");
    let text = &text[prefix.len()..];
    let hashes = text.iter().take_while(|sign| **sign == '#').count();
    match (prefix.ends_with('r'), text.get(hashes)) {
        (true, Some('"')) => {
            let end = format!("\"{}", "#".repeat(hashes));
            let mut places = hashes + 1..text.len();
            let end_at = places.find(|place| begins(&text[*place..], &end)).unwrap_or(text.len());
            prefix.len() + text.len().min(end_at + end.len())
        }
        (false, Some('"')) if hashes == 0 => prefix.len() + until_quote(text, '"'),
        _ => 0,
    }
}

/// The length of a comment that may hold others.
fn block_comment(text: &[char]) -> usize {
    let (mut open, mut place) = (0_usize, 0);
    while place < text.len() {
        let rest = &text[place..];
        let step = if begins(rest, "/*") || begins(rest, "*/") { 2 } else { 1 };
        open = match (step, rest[0]) {
            (2, '/') => open + 1,
            (2, _) => open.saturating_sub(1),
            _ => open,
        };
        place += step;
        if open == 0 {
            break;
        }
    }
    place
}

/// The length of a text that begins with a quote, up to and with the one that ends it.
fn until_quote(text: &[char], quote: char) -> usize {
    let mut escaped = false;
    for (place, letter) in text.iter().enumerate().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if *letter == quote => return place + 1,
            _ => {}
        }
    }
    text.len()
}
