//! Glob patterns over names: `*` is any text, `?` any one character, everything else itself.

/// Does the whole name match? At most `name × pattern` steps, whatever the pattern: only the last `*`
/// is ever tried again, since an earlier one can match no more than a later one already lets it.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut name = name.chars();
    // Where to go on if the text behind the last `*` does not fit here.
    let mut retry = None;
    loop {
        let (mut next_pattern, mut next_name) = (pattern.clone(), name.clone());
        let fits = match (next_pattern.next(), next_name.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((next_pattern.clone(), name.clone()));
                pattern = next_pattern;
                continue;
            }
            (Some('?'), Some(_)) => true,
            (Some(wanted), Some(found)) => wanted == found,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if fits {
            (pattern, name) = (next_pattern, next_name);
            continue;
        }
        let Some((behind_star, mut taken)) = retry else {
            return false;
        };
        if taken.next().is_none() {
            return false;
        }
        (pattern, name) = (behind_star.clone(), taken.clone());
        retry = Some((behind_star, taken));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "a", false),
            ("plan", "plan", true),
            ("plan", "plans", false),
            ("plan", "Plan", false),
            ("*", "", true),
            ("*", "anything at all", true),
            ("**", "x", true),
            ("plan*", "plan", true),
            ("plan*", "plans", true),
            ("*plan", "my plan", true),
            ("*plan", "my plan b", false),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("?", "", false),
            ("?", "ż", true),
            ("?", "żó", false),
            ("日*", "日本", true),
            ("*本", "日本", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("@/+%~:&=; ", "@/+%~:&=; ", true),
            ("[a-z]", "b", false),
            ("[a-z]", "[a-z]", true),
            ("a*b", "a*b", true),
            (r"\", r"\", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "a*".repeat(5_000) + "b";
        assert!(!matches(&pattern, &"a".repeat(10_000)));
        assert!(matches(&pattern, &("a".repeat(10_000) + "b")));
    }
}
