//! Patterns with `*` and `?`, matched in one pass: all ways to match are followed at once as the bits of a
//! few words, so that no pattern makes a text expensive. There are no regular expressions here.

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, or none.
    Many,
}

impl Token {
    /// How the character of a pattern is meant.
    pub(crate) fn of(letter: char) -> Self {
        match letter {
            '*' => Self::Many,
            '?' => Self::One,
            letter => Self::Char(letter),
        }
    }
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Glob(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// `*`
    Anything,
    /// Without wildcards.
    Exact(String),
    /// One `*`, at the end.
    Prefix(String),
    /// Everything else.
    Machine(Machine),
}

impl Glob {
    /// The pattern of a text in which `*` and `?` are wildcards.
    pub fn parse(text: &str) -> Self {
        Self::new(&text.chars().map(Token::of).collect::<Vec<_>>())
    }

    /// The pattern of tokens.
    pub(crate) fn new(tokens: &[Token]) -> Self {
        let literal = |tokens: &[Token]| -> Option<String> {
            let letters = tokens.iter().map(|token| match token {
                Token::Char(letter) => Some(*letter),
                Token::One | Token::Many => None,
            });
            letters.collect()
        };
        match tokens.split_last() {
            Some((Token::Many, [])) => return Self(Kind::Anything),
            Some((Token::Many, head)) => {
                if let Some(prefix) = literal(head) {
                    return Self(Kind::Prefix(prefix));
                }
            }
            _ => {
                if let Some(text) = literal(tokens) {
                    return Self(Kind::Exact(text));
                }
            }
        }
        Self(Kind::Machine(Machine::new(tokens)))
    }

    /// Does the whole text match?
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Anything => true,
            Kind::Exact(exact) => text == exact,
            Kind::Prefix(prefix) => text.starts_with(prefix),
            Kind::Machine(machine) => machine.matches(text),
        }
    }
}

/// A nondeterministic automaton as bits. State `i` means: the first `i` tokens that are not `*` matched what
/// was read. Reading a character moves each state that accepts it one up, and states behind a `*` may
/// stay.
#[derive(Clone, Debug, PartialEq)]
struct Machine {
    /// Characters that the pattern names, in order.
    letters: Vec<char>,
    /// For each letter, and at the end for any other: the states that accept it.
    accepts: Vec<Vec<u64>>,
    /// The states that may stay.
    stays: Vec<u64>,
    /// The state in which everything matched.
    last: usize,
}

const WORD: usize = u64::BITS as usize;

fn set(bits: &mut [u64], at: usize) {
    bits[at / WORD] |= 1 << (at % WORD);
}

impl Machine {
    fn new(tokens: &[Token]) -> Self {
        let mut letters: Vec<char> = tokens
            .iter()
            .filter_map(|token| match token {
                Token::Char(letter) => Some(*letter),
                Token::One | Token::Many => None,
            })
            .collect();
        letters.sort_unstable();
        letters.dedup();
        let last = tokens.iter().filter(|token| **token != Token::Many).count();
        let words = last / WORD + 1;
        let mut stays = vec![0; words];
        let mut accepts = vec![vec![0; words]; letters.len() + 1];
        let mut state = 0;
        for token in tokens {
            match token {
                Token::Many => {
                    set(&mut stays, state);
                    continue;
                }
                Token::One => accepts.iter_mut().for_each(|states| set(states, state)),
                Token::Char(letter) => {
                    let at = letters
                        .binary_search(letter)
                        .expect("the letters are those of the tokens");
                    set(&mut accepts[at], state);
                }
            }
            state += 1;
        }
        Self {
            letters,
            accepts,
            stays,
            last,
        }
    }

    fn matches(&self, text: &str) -> bool {
        let mut states = vec![0_u64; self.stays.len()];
        states[0] = 1;
        for letter in text.chars() {
            let at = self.letters.binary_search(&letter).unwrap_or(self.letters.len());
            let mut carry = 0;
            let mut alive = 0;
            for ((states, accepts), stays) in states.iter_mut().zip(&self.accepts[at]).zip(&self.stays) {
                let moved = *states & accepts;
                let next = (moved << 1) | carry | (*states & stays);
                carry = moved >> (WORD - 1);
                *states = next;
                alive |= next;
            }
            if alive == 0 {
                return false;
            }
        }
        states[self.last / WORD] >> (self.last % WORD) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, with no thought for time.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some(('*', rest)), None) => naive(rest, text),
            (Some(('*', rest)), Some((_, shorter))) => naive(rest, text) || naive(pattern, shorter),
            (Some(_), None) => false,
            (Some((letter, rest)), Some((first, shorter))) => {
                (*letter == '?' || letter == first) && naive(rest, shorter)
            }
        }
    }

    #[test]
    fn wildcards_mean_what_they_mean() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "ż", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-", false),
            ("**", "x", true),
            ("a\\*", "a\\b", true),
        ] {
            assert_eq!(
                Glob::parse(pattern).matches(text),
                expected,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length() {
        // Backtracking would need 2^60 steps.
        let pattern = "a*".repeat(60) + "b";
        assert!(!Glob::parse(&pattern).matches(&"a".repeat(20_000)));
        let long = "?".repeat(3_000) + "*" + &"x?".repeat(1_000);
        assert!(Glob::parse(&long).matches(&"x".repeat(5_000)));
        assert!(!Glob::parse(&long).matches(&"x".repeat(4_999)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn a_glob_equals_the_naive_matcher(pattern in "[ab*?]{0,9}", text in "[abc]{0,9}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = naive(&letters(&pattern), &letters(&text));
            prop_assert_eq!(Glob::parse(&pattern).matches(&text), expected);
            let tokens: Vec<_> = pattern.chars().map(Token::of).collect();
            prop_assert_eq!(Machine::new(&tokens).matches(&text), expected);
        }

        #[test]
        fn words_of_the_machine_meet_without_a_gap(long in 50_usize..200, extra in "[a*?]{0,3}") {
            let pattern = format!("{}{extra}b", "a?".repeat(long));
            let text = "a".repeat(2 * long) + "aab";
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                Glob::parse(&pattern).matches(&text),
                naive(&letters(&pattern), &letters(&text))
            );
        }
    }
}
