//! Rust text without its comments and literals, so that a law sees code and nothing else.
//!
//! The rules of the lexer are those of the Rust reference, "Lexical structure".

/// Replaces every comment, string and character literal by spaces; line breaks stay.
pub(super) fn blank(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let rest = &characters[at..];
        let literal = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        // A raw string's prefix may end an identifier: `bar"` is no raw string.
        let inside_word = at > 0 && is_word(characters[at - 1]);
        match literal.or_else(|| (!inside_word).then(|| raw(rest)).flatten()) {
            Some(length) => {
                let end = (at + length).min(characters.len());
                let keep = |&c: &char| if c == '\n' { '\n' } else { ' ' };
                out.extend(characters[at..end].iter().map(keep));
                at = end;
            }
            None => {
                // One byte a character keeps offsets simple; only ASCII matters to the laws.
                out.push(if rest[0].is_ascii() { rest[0] } else { '_' });
                at += 1;
            }
        }
    }
    out
}

/// The offsets at which `word` stands alone.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// The offsets at which the macro `name!` is used.
pub(super) fn macros<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    words(code, name).filter(move |&at| {
        let after = code[at + name.len()..].trim_start();
        after.starts_with('!') && !after.starts_with("!=")
    })
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length of the comment that starts here; block comments nest.
fn comment(rest: &[char]) -> Option<usize> {
    if rest.starts_with(&['/', '/']) {
        return Some(rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(&['/', '*']) {
        return None;
    }
    let (mut depth, mut at) = (1, 2);
    while depth > 0 && at < rest.len() {
        if rest[at..].starts_with(&['/', '*']) {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(&['*', '/']) {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += 1;
        }
    }
    Some(at)
}

/// The length of the string literal that starts here, counted from its quote.
fn string(rest: &[char]) -> Option<usize> {
    (rest[0] == '"').then(|| closing(rest, '"'))
}

/// The length of the raw string that starts here with `r`, `br` or `cr`.
fn raw(rest: &[char]) -> Option<usize> {
    let prefix = match rest {
        ['r', ..] => 1,
        ['b' | 'c', 'r', ..] => 2,
        _ => return None,
    };
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    let body = prefix + hashes + 1;
    if rest.get(body - 1) != Some(&'"') {
        return None;
    }
    let is_end = |at: &usize| {
        rest[*at] == '"' && rest[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
    };
    Some((body..rest.len()).find(is_end).map_or(rest.len(), |end| end + 1 + hashes))
}

/// The length of the character literal that starts here; a lifetime is none.
fn character(rest: &[char]) -> Option<usize> {
    match rest {
        ['\'', '\\', ..] => Some(closing(rest, '\'')),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

/// The length up to and with the closing quote, past escapes.
fn closing(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}
