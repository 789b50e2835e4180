use super::{check, check_fails};

/// The guide's own examples, where they are not mistaken.
#[test]
fn conditions() {
    check(&[
        (
            r#"{{#and (eq Location.City "Los Angeles") (eq Location.Country "US")}}here{{else}}there{{/and}}"#,
            "here",
        ),
        (
            r#"{{#and (eq Location.City "Los Angeles") (eq Location.Country "DE")}}here{{else}}there{{/and}}"#,
            "there",
        ),
        (
            r#"{{#eq User.UserAttributes.FirstName.[0] "Jane"}}yes{{else}}no{{/eq}}"#,
            "yes",
        ),
        (
            r#"{{#gt User.UserAttributes.UserAge.[0] "17"}}old{{else}}young{{/gt}}"#,
            "old",
        ),
        (
            r#"{{#gt User.UserAttributes.UserAge.[0] "9"}}old{{else}}young{{/gt}}"#,
            "old",
        ),
        (
            r#"{{#gte User.UserAttributes.UserAge.[0] "22"}}old{{else}}young{{/gte}}"#,
            "old",
        ),
        (
            r#"{{#lt User.UserAttributes.UserAge.[0] "18"}}young{{else}}old{{/lt}}"#,
            "old",
        ),
        (
            r#"{{#lte User.UserAttributes.UserAge.[0] "22"}}young{{else}}old{{/lte}}"#,
            "young",
        ),
        (
            r#"{{#neq Location.Country "DE"}}abroad{{else}}home{{/neq}}"#,
            "abroad",
        ),
        (
            r#"{{#not (eq Attributes.plan.[0] "red")}}other{{else}}red{{/not}}"#,
            "other",
        ),
        (r#"{{not (eq Attributes.plan.[0] "gold")}}"#, "false"),
        (
            r#"{{#or (eq Location.City "Los Angeles") (eq Location.City "Seattle")}}West{{else}}East{{/or}}"#,
            "West",
        ),
        ("{{and Attributes.plan Id yes='y' no='n'}}", "y"),
        ("{{and Attributes.plan Attributes.nothing yes='y' no='n'}}", "n"),
        ("{{or Attributes.nothing Id yes='y' no='n'}}", "y"),
        ("{{eq Metrics.visits 22 yes='y' no='n'}}", "y"),
        ("{{eq Metrics.visits '22' yes='y'}}", "y"),
        ("{{eq Attributes.plan 'gold'}}", "true"),
        ("{{eq Attributes.nothing Attributes.neither}}", "true"),
        ("{{gt Attributes.nothing 1}}", "false"),
        ("{{lt Attributes.nothing 1}}", "false"),
        ("{{gt 'b' 'a'}}", "true"),
        ("{{upper (eq 1 1 yes='same')}}", "SAME"),
        (
            "{{#if User.UserAttributes.FirstName.[0]}}Hello {{User.UserAttributes.FirstName.[0]}},{{else}}Hello,{{/if}}",
            "Hello Jane,",
        ),
        (
            "{{#if User.UserAttributes.Nickname.[0]}}Hi {{User.UserAttributes.Nickname}}{{else}}Hello,{{/if}}",
            "Hello,",
        ),
        ("{{#unless Attributes.empty}}none{{/unless}}", "none"),
        (
            "{{#if (gt Metrics.visits 100)}}a{{else if (gt Metrics.visits 20)}}b{{else}}c{{/if}}",
            "b",
        ),
    ]);
}

#[test]
fn texts() {
    check(&[
        ("{{abbreviate User.UserAttributes.LastName.[0] 6}}", "Ale..."),
        ("{{abbreviate 'short' 6}}", "short"),
        ("{{abbreviate 'längere' 2}}", ".."),
        ("{{capitalize Attributes.description.[0]}}", "My First Post"),
        ("{{capitalize 'mY  pOST' fully=true}}", "My  Post"),
        ("{{capitalizeFirst Attributes.description.[0]}}", "My first post"),
        ("{{capitalizeFirst 'éa'}}", "Éa"),
        ("[{{center Location.City size=19}}]", "[    Los Angeles    ]"),
        ("{{center 'x' size=4 pad='*'}}", "*x**"),
        (r#"{{cut Location.City "e"}}"#, "Los Angls"),
        ("{{cut Location.City}}", "LosAngeles"),
        ("{{inflect 3 apple apples includeCount=false}}", "apples"),
        ("{{inflect 3 apple apples includeCount=true}}", "3 apples"),
        ("{{inflect 1 'apple' 'apples'}}", "apple"),
        ("{{inflect 0 'apple' 'apples' true}}", "0 apples"),
        (r#"{{join Attributes.favorite_colors ", "}}"#, "blue, red, green"),
        (
            r#"{{join Attributes.favorite_colors "/" prefix="<" suffix=">"}}"#,
            "<blue/red/green>",
        ),
        (r#"{{join "a" "b" "c" " // "}}"#, "a // b // c"),
        ("[{{ljust Location.City 15}}]", "[Los Angeles    ]"),
        ("[{{ljust Location.City size=13 pad='.'}}]", "[Los Angeles..]"),
        ("{{lower 'ÄBC'}}", "äbc"),
        ("Your {{ordinalize User.UserAttributes.UserAge.[0]}}", "Your 22nd"),
        (
            "{{ordinalize 1}} {{ordinalize 3}} {{ordinalize 4}} {{ordinalize 11}} {{ordinalize 112}} {{ordinalize 101}}",
            "1st 3rd 4th 11th 112th 101st",
        ),
        (r#"{{replace Location.City " " "_"}}"#, "Los_Angeles"),
        (r#"{{replace Location.City "" "_"}}"#, "Los Angeles"),
        ("[{{rjust Location.City 15}}]", "[    Los Angeles]"),
        ("{{slugify Location.City}}", "los-angeles"),
        ("{{slugify ' Año_1: ¿qué? '}}", "año_1-qué"),
        ("{{stripTags User.UserAttributes.interests.[0]}}", "Art"),
        ("{{stripTags 'a < b <i x=\"1\">c</i>'}}", "a c"),
        ("{{substring Location.City 4 9}}", "Angel"),
        ("{{substring Location.City 4}}", "Angeles"),
        ("{{substring 'äöü' 1 99}}", "öü"),
        ("{{substring 'abc' 9}}", ""),
        ("{{upper User.UserAttributes.[Last Name].[0]}}", "ROE"),
        ("{{capitalizeFirst (lower \"JANE\")}}", "Jane"),
        ("{{upper Attributes.plan}}", "GOLD"),
        (
            "[{{upper Attributes.nothing}}][{{inflect Attributes.nothing a b}}][{{join Attributes.nothing ','}}]",
            "[][][]",
        ),
    ]);
    check_fails(&[
        ("{{ordinalize 'x'}}", "\"x\" is not a whole number"),
        ("{{ljust 'x'}}", "the length is missing"),
        ("{{ljust 'x' -1}}", "is not a length"),
        ("{{substring 'x' 'y'}}", "is not a length"),
        ("{{upper}}{{upper 1 2", "line 1"),
    ]);
}

#[test]
fn numbers_and_encodings() {
    check(&[
        ("{{add 5 2.3}}", "7.3"),
        ("{{subtract 5 2.3}}", "2.7"),
        ("{{multiply 5 2.3}}", "11.5"),
        ("{{divide 5 2.3}}", "2.17391304"),
        ("{{modulo 7 2}}", "1"),
        ("{{modulo 7.5 2}}", "1.5"),
        ("{{add 0.1 0.2}}", "0.3"),
        ("{{ceiling 5.23}} {{ceiling -5.23}}", "6 -5"),
        ("{{floor 5.23}} {{floor -5.23}}", "5 -6"),
        ("{{round 19.21}} {{round 2.5}} {{round -2.5}}", "19 3 -2"),
        ("{{add Metrics.spent User.UserAttributes.UserAge.[0]}}", "41.25"),
        ("{{multiply (add 1 2) (round Metrics.spent)}}", "57"),
        ("[{{add Attributes.nothing 1}}]", "[]"),
        ("{{yesno Attributes.IsUserSubscribed}}", "yes"),
        (
            "{{yesno (eq 1 2)}} {{yesno Attributes.nothing maybe='?'}} {{yesno true yes='ja'}}",
            "no ? ja",
        ),
        (r#"{{encode64 "Hello World"}}"#, "SGVsbG8gV29ybGQ="),
        (
            r#"{{decode64 "SGVsbG8gd29ybGQ="}} {{decode64 "SGVsbG8gd29ybGQ"}}"#,
            "Hello world Hello world",
        ),
        (r#"{{md5 "Hello world"}}"#, "3e25960a79dbc69b674cd4ec67a72c62"),
        (
            r#"{{sha256 "Hello World"}}"#,
            "a591a6d40bf420404a011733cfb7b190d62c65bf0bcda32b57b277d9ad9f146e",
        ),
        (
            r#"{{sha512 "Hello World"}}"#,
            "2c74fd17edafd80e8447b0d46741ee243b7eb74dd2149a0ab1b9246fb30382f27e853d8585719e0e67cbda0daa8f51671064615d645ae27acb15bfb1447f459b",
        ),
    ]);
    check_fails(&[
        ("{{add 'x' 1}}", "\"x\" is not a number"),
        ("{{divide 1 0}}", "there is no such number"),
        ("{{modulo 1 0}}", "there is no such number"),
        ("{{decode64 '!'}}", "not Base64"),
        ("{{decode64 '/w=='}}", "not Base64 of a text"),
        ("{{add 'inf' 1}}", "is not a number"),
    ]);
}

/// 2020-09-19 was a Saturday; the guide's Tuesday is its own.
#[test]
fn dates() {
    check(&[
        (
            r#"{{dateFormat User.UserAttributes.StartDate.[0] inputFormat="MM/dd/yyyy" outputFormat="full" tz=America/Los_Angeles}}"#,
            "Saturday, September 19, 2020",
        ),
        ("{{now}}", "Sep 19, 2020"),
        (r#"{{now "medium" tz=America/Los_Angeles}}"#, "Sep 19, 2020"),
        (
            r#"{{now "full"}} | {{now "long"}} | {{now "short"}}"#,
            "Saturday, September 19, 2020 | September 19, 2020 | 9/19/20",
        ),
        (
            r#"{{now "yyyy-MM-dd'T'HH:mm:ss.SSSXXX" tz=Asia/Kolkata}}"#,
            "2020-09-19T23:35:09.123+05:30",
        ),
        (
            r#"{{now "h 'o''clock' a, z" tz=America/Los_Angeles}}"#,
            "11 o'clock AM, PDT",
        ),
        (r#"{{now "HH:mm Z X" tz="GMT+2"}}"#, "20:05 +0200 +02"),
        (r#"{{now "HH:mm XXX"}}"#, "18:05 Z"),
        (
            r#"{{now "G y yy yyyy M MM MMM MMMM d D E EEEE u k K F w W YYYY"}}"#,
            "AD 2020 20 2020 9 09 Sep September 19 263 Sat Saturday 6 18 6 3 38 3 2020",
        ),
        (r#"{{now "HH" tz=Demographic.Timezone}}"#, "11"),
        ("{{dateFormat CreationDate}}", "Jun 30, 2019"),
        ("{{dateFormat CreationDate 'long'}}", "June 30, 2019"),
        (
            r#"{{dateFormat "2020-09-19" outputFormat="d.M.yyyy" tz=America/Los_Angeles}}"#,
            "19.9.2020",
        ),
        (
            r#"{{dateFormat "2020-09-19T01:00:00Z" outputFormat="d.M.yyyy" tz=America/Los_Angeles}}"#,
            "18.9.2020",
        ),
        (r#"{{dateFormat 0 outputFormat="yyyy"}}"#, "1970"),
        (
            r#"{{dateFormat "7 Jan 99 3:04 PM -0130" inputFormat="d MMM yy h:mm a Z" outputFormat="yyyy-MM-dd HH:mm"}}"#,
            "1999-01-07 16:34",
        ),
        (
            r#"{{dateFormat "Tuesday, March 3, 2026" inputFormat="EEEE, MMMM d, yyyy" outputFormat="short"}}"#,
            "3/3/26",
        ),
        (
            r#"{{dateFormat "20260303" inputFormat="yyyyMMdd" outputFormat="MMM d"}}"#,
            "Mar 3",
        ),
        (
            r#"{{dateFormat "2027-12-31" outputFormat="YYYY w"}} {{dateFormat "2028-01-01" outputFormat="YYYY w"}}"#,
            "2028 1 2028 1",
        ),
        ("[{{dateFormat Attributes.nothing}}]", "[]"),
    ]);
    check_fails(&[
        ("{{dateFormat 'soon'}}", "\"soon\" is not a date"),
        (
            r#"{{dateFormat "13/13/2020" inputFormat="MM/dd/yyyy"}}"#,
            "is not a date of that format",
        ),
        (
            r#"{{now "medium" tz=Nowhere/City}}"#,
            "there is no time zone \"Nowhere/City\"",
        ),
        (r#"{{now "bb"}}"#, "no letter 'b'"),
    ]);
}

#[test]
fn chance_is_the_messages_own() {
    let once = super::render("{{uuid}} {{uuid}}", super::Escape::None).unwrap();
    assert_eq!(
        super::render("{{uuid}} {{uuid}}", super::Escape::None).unwrap(),
        once
    );
    let (first, second) = once.split_once(' ').unwrap();
    assert_ne!(first, second);
    assert_eq!(first.len(), 36);
    assert_eq!(&first[14..15], "4");
}
