//! What may be a username, a display name, a password, a title. Errors are sentences for the caller.

const USERNAME: std::ops::RangeInclusive<usize> = 3..=32;

/// Folds to lower case and checks: 3 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit.
pub(crate) fn username(text: &str) -> Result<String, String> {
    let name = text.trim().to_ascii_lowercase();
    let fits = USERNAME.contains(&name.len())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if fits {
        Ok(name)
    } else {
        Err("`username` must be 3 to 32 letters a-z, digits, dots, dashes or underscores, beginning with a letter or digit".into())
    }
}

/// A username made from what somebody would like to be called and random bytes, such as `ana-7k3q9x`: what fits of the wish,
/// up to an `@`, and an ending that nobody has, most likely.
pub(crate) fn with_ending(wish: &str, random: [u8; 6]) -> String {
    // Crockford's base 32 in lower case: no i, l, o, u.
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let fits: String = wish
        .split('@')
        .next()
        .unwrap_or_default()
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .filter(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'))
        .take(24)
        .collect();
    let fits = fits.trim_matches(['.', '_', '-']);
    let begin = if fits.is_empty() { "user" } else { fits };
    let ending: String = random
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect();
    format!("{begin}-{ending}")
}

/// 8 to 256 characters, whatever they are.
pub(crate) fn password<'t>(field: &str, text: &'t str) -> Result<&'t str, String> {
    match text.chars().count() {
        8..=256 => Ok(text),
        _ => Err(format!("`{field}` must have 8 to 256 characters")),
    }
}

/// A line that people read: trimmed, 1 to `max` characters, no control characters.
pub(crate) fn line(field: &str, text: &str, max: usize) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("`{field}` must be one line of 1 to {max} characters"))
    }
}

/// A language tag (BCP 47) by its shape, such as `en` or `zh-CN`.
pub(crate) fn locale(text: &str) -> Result<String, String> {
    let text = text.trim();
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let fits = text.len() <= 35
        && (2..=8).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("`locale` must be a language tag such as `en` or `zh-CN`".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_folded_and_bounded() {
        assert_eq!(username(" Ana.B ").unwrap(), "ana.b");
        for bad in ["", "ab", ".ana", "a b c", "ana@example", "änä", &"a".repeat(33)] {
            assert!(username(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_with_an_ending_is_a_username_whatever_was_wished() {
        assert_eq!(with_ending("Ana B.", [0, 31, 32, 10, 255, 7]), "anab-0z0az7");
        assert_eq!(with_ending("ana@id.example", [0; 6]), "ana-000000");
        for wish in [
            "",
            "@",
            "朋友",
            "-._",
            "..a",
            &"x".repeat(500),
            "a\u{0}b\n",
            "ANA",
        ] {
            let name = with_ending(wish, [9; 6]);
            assert_eq!(username(&name).as_deref(), Ok(name.as_str()), "{wish}");
        }
    }

    #[test]
    fn a_line_has_no_line_breaks_and_is_counted_in_characters() {
        assert_eq!(line("title", " 朋友们 ", 3).unwrap(), "朋友们");
        assert!(line("title", "a\nb", 10).is_err());
        assert!(line("title", "  ", 10).is_err());
    }

    #[test]
    fn a_locale_has_the_shape_of_a_language_tag() {
        for good in ["en", "zh-CN", "sr-Latn-RS", "de-CH-1996"] {
            assert_eq!(locale(good).unwrap(), good);
        }
        for bad in ["", "e", "en_US", "zh-", "-CN", "en-verylongsubtag", "12", "en CN"] {
            assert!(locale(bad).is_err(), "{bad}");
        }
    }
}
