use pinion_domain::extension::columns::{Column, ColumnData, ColumnKind, ColumnSpec};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::context::{Defaults, Scope};
use super::*;

#[test]
fn variables_come_from_the_endpoint() {
    check(&[
        (
            "{{Address}} {{ChannelType}} {{Id}} {{OptOut}} {{EndpointStatus}}",
            "jane@example.com EMAIL e-1 NONE ACTIVE",
        ),
        (
            "{{User.UserId}} {{User.UserAttributes.FirstName.[0]}} {{User.UserAttributes.FirstName}}",
            "u-1 Jane Jane",
        ),
        (
            "{{User.UserAttributes.[Last Name].[0]}} {{User.UserAttributes.[Last Name]}}",
            "Roe Roe",
        ),
        (
            "{{Attributes.favorite_colors}} {{Attributes.favorite_colors.[1]}} {{Attributes.favorite_colors.1}}",
            "blue, red, green red red",
        ),
        ("{{Attributes.[2024]}} {{Attributes.[it's]}}", "a year apostrophe"),
        (
            "{{Location.Latitude}} {{Location.Longitude}} {{Metrics.visits}} {{Metrics.spent}}",
            "34.1 -118 22 19.25",
        ),
        (
            "{{Demographic.Timezone}} {{CreationDate}}",
            "America/Los_Angeles 2019-06-30T11:45:25.220Z",
        ),
        // What is missing is nothing.
        (
            "[{{Attributes.nothing}}{{Attributes.plan.[1]}}{{Attributes.empty}}{{RequestId}}{{name}}{{User}}{{Attributes.plan.x.y}}]",
            "[]",
        ),
        (
            "[{{upper Attributes.plan.x}}{{Recommendations.a.[0]}}{{RecommendationItems}}{{a.b.c}}{{Location}}]",
            "[]",
        ),
        // Blocks.
        (
            "{{#each Attributes.favorite_colors}}{{@index}}{{this}}{{#unless @last}}, {{/unless}}{{else}}none{{/each}}",
            "0blue, 1red, 2green",
        ),
        ("{{#each Attributes.nothing}}x{{else}}none{{/each}}", "none"),
        (
            "{{#each Attributes.many}}{{this}} {{/each}}",
            "c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 c13 c14 c15 ",
        ),
        (
            "{{#each Attributes.favorite_colors as |color|}}{{color}}{{../Id}}{{@root.Id}} {{/each}}",
            "bluee-1e-1 rede-1e-1 greene-1e-1 ",
        ),
        (
            "{{#with User}}{{UserId}}:{{UserAttributes.FirstName}}{{/with}}",
            "u-1:Jane",
        ),
        ("{{#with User.UserAttributes}}{{FirstName.[0]}}{{/with}}", "Jane"),
        (
            "{{#each Metrics}}{{@key}}={{this}};{{/each}}",
            "spent=19.25;visits=22;",
        ),
        ("{{lookup Attributes 'plan'}} {{lookup this 'Id'}}", "gold e-1"),
        ("{{this.Id}} {{./Id}} {{@root.Id}}", "e-1 e-1 e-1"),
        (
            "{{#*inline \"name\"}}{{User.UserAttributes.FirstName.[0]}}{{/inline}}Hello {{> name}}!{{> name}}",
            "Hello Jane!Jane",
        ),
        (
            "{{#*inline \"row\"}}<{{this}}>{{/inline}}{{#each Attributes.favorite_colors}}{{> row}}{{/each}}",
            "<blue><red><green>",
        ),
        (
            "{{#*inline \"greet\"}}{{word}} {{Id}}{{/inline}}{{> greet word='Hi'}}",
            "Hi e-1",
        ),
        (
            "a {{! comment }}b{{!-- {{x}} --}}c \\{{literal}}",
            "a bc {{literal}}",
        ),
        ("a\n  {{~Id~}}\n  b", "ae-1b"),
    ]);
}

#[test]
fn values_are_escaped_where_it_matters() {
    let source = "{{Attributes.markup}}|{{{Attributes.markup}}}|{{upper Attributes.markup}}";
    let html = render(source, Escape::Html).unwrap();
    let raw = "<b>Tom & 'Jerry' = `\"x\"`</b>";
    let escaped = handlebars::html_escape(raw);
    assert_eq!(
        html,
        format!("{escaped}|{raw}|{}", handlebars::html_escape(&raw.to_uppercase()))
    );
    assert!(!escaped.contains('<'));
    let text = render(source, Escape::None).unwrap();
    assert_eq!(text, format!("{raw}|{raw}|{}", raw.to_uppercase()));
    let conditional = render("{{eq 1 1 yes=Attributes.markup}}", Escape::Html).unwrap();
    assert_eq!(conditional, escaped);
}

#[test]
fn json_cannot_be_broken_out_of() {
    let substitutions = lists(&[("name", &["\"},\n\u{1}\\x"])]);
    let renderer =
        DataRenderer::new(r#"{"n": "{{name}}", "u": "{{upper name}}", "v": {{Metrics.visits}}}"#).unwrap();
    let text = with_input(&[&substitutions], |input| renderer.render(input)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["n"], "\"},\n\u{1}\\x");
    assert_eq!(json["u"], "\"},\n\u{1}\\X");
    assert_eq!(json["v"], 22);
    let text = DataRenderer::new("{{name}} \"{{Id}}\"").unwrap();
    assert_eq!(
        with_input(&[&substitutions], |input| text.render(input)).unwrap(),
        "\"},\n\u{1}\\x \"e-1\""
    );
    let error = DataRenderer::new("{\"a\": {{nope 1}}}").unwrap_err();
    assert_eq!(error.part, "CustomMessage.Data");
}

#[test]
fn substitutions_win_then_personalizer_then_endpoint_then_defaults() {
    let own = lists(&[("name", &["own"]), ("Attributes.b", &["own"])]);
    let messages = lists(&[("name", &["message"]), ("other", &["message", "second"])]);
    let outputs = [
        "Attributes.plan",
        "Recommendations.item",
        "Attributes.gone",
        "Attributes.b",
    ]
    .map(|path| ColumnSpec {
        path: path.to_owned(),
        kind: ColumnKind::Text,
    });
    let text = |cells: [&str; 2], valid| Column {
        data: ColumnData::Text(cells.into_iter().collect()),
        valid,
    };
    let answer = Personalized {
        columns: vec![
            text(["-", "platinum"], vec![]),
            text(["-", "shoes"], vec![]),
            text(["-", "-"], vec![0b01]),
            text(["-", "personalized"], vec![]),
        ],
        drop: vec![],
    };
    let defaults: Defaults = [
        ("name", "default"),
        ("unset", "default"),
        ("Attributes.gone", "default"),
        ("Attributes.plan", "default"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let source = "{{name}} {{other}} {{other.[1]}} {{unset}} {{Attributes.plan}} {{Attributes.plan.[0]}} {{Recommendations.item.[0]}} \
                  {{Attributes.gone}} {{Attributes.gone.[0]}} {{Attributes.b}} {{Id}}";
    let expected = "own message, second second default platinum platinum shoes default default own e-1";
    with_input(&[&own, &messages], |input| {
        let personalized = Some(PersonalizedRow {
            answer: &answer,
            outputs: &outputs,
            row: 1,
        });
        let input = RenderInput {
            personalized,
            ..*input
        };
        let scope = Scope {
            input: &input,
            defaults: &defaults,
            track: None,
        };
        for template in [
            Template::compile(source, Escape::Html),
            Template::compile_slowly(source, Escape::Html),
        ] {
            assert_eq!(template.unwrap().render_in(&scope, "x").as_deref(), Ok(expected));
        }
        let whole = Template::compile(
            "{{#with Attributes}}{{gone}} {{plan}} {{b}}{{/with}} {{#each this}}{{/each}}",
            Escape::Html,
        );
        assert_eq!(
            whole.unwrap().render_in(&scope, "x").as_deref(),
            Ok("default platinum own ")
        );
    });
}

/// The fast way and the `handlebars` crate give the same text, or both none.
#[test]
fn pieces_render_as_handlebars_does() {
    let pieces = [
        "{{Id}}",
        "{{{Attributes.markup}}}",
        "{{Attributes.markup}}",
        "{{&Attributes.markup}}",
        "{{User.UserAttributes.FirstName.[0]}}",
        "{{Attributes.favorite_colors}}",
        "{{Attributes.favorite_colors.[2]}}",
        "{{Attributes.favorite_colors.[9]}}",
        "{{Metrics.spent}}",
        "{{Location.Latitude}}",
        "{{Location.City.[0]}}",
        "{{name}}",
        "{{many.[1]}}",
        "{{many}}",
        "{{~Id}}",
        "{{Id~}}",
        "{{~Id~}}",
        "{{Attributes.nothing}}",
        "{{User}}",
        "{{this.Id}}",
        "{{@root.Id}}",
        "{{! c }}",
        "{{!-- {{x}} --}}",
        "\\{{x}}",
        "\\\\{{Id}}",
        " ",
        "\n",
        "  \n",
        "<p>é€😀</p>",
        "\\",
        "{",
        "}",
        "&amp;",
        "{{Attributes.plan.x}}",
        "{{#pinion-link}}https://a.example/{{Id}}{{/pinion-link}}",
    ];
    let substitutions = lists(&[("name", &["<n>"]), ("many", &["x", "<y>"])]);
    let mut random = StdRng::seed_from_u64(6);
    let mut compared = 0;
    for _ in 0..5_000 {
        let source: String = (0..random.random_range(1..10))
            .map(|_| pieces[random.random_range(0..pieces.len())])
            .collect();
        for escape in [Escape::None, Escape::Html, Escape::Json] {
            let (fast, slow) = (
                Template::compile(&source, escape),
                Template::compile_slowly(&source, escape),
            );
            let (Ok(fast), Ok(slow)) = (fast, slow) else {
                continue;
            };
            assert!(fast.is_pieces() && !slow.is_pieces(), "{source}");
            compared += 1;
            with_input(&[&substitutions], |input| {
                assert_eq!(fast.render(input), slow.render(input), "{source:?}");
            });
        }
    }
    assert!(compared > 7_500, "{compared}");
}

#[test]
fn variables_are_listed() {
    let source = "{{User.UserAttributes.FirstName.[0]}} {{name}} {{#each Attributes.colors}}{{this}}{{word}}{{../Id}}{{/each}}
        {{#if (eq Location.City 'x')}}{{inflect n apple apples}}{{/if}}{{now 'short' tz=Europe/Berlin}}{{> p}}
        {{#*inline 'p'}}{{deep}}{{/inline}}{{UnsubscribeUrl}}{{known}}";
    let template = Template::compile(source, Escape::Html).unwrap();
    assert_eq!(
        variables(&template),
        [
            "Attributes.colors",
            "Id",
            "Location.City",
            "UnsubscribeUrl",
            "User.UserAttributes.FirstName",
            "deep",
            "known",
            "n",
            "name",
        ]
    );
    let defaults = [("known".to_owned(), "x".to_owned())].into();
    assert_eq!(unknown_roots(&template, &defaults), ["deep", "n", "name"]);
}

#[test]
fn broken_templates_are_refused_by_line() {
    for (source, line, words) in [
        ("a\n\n{{", 3, "syntax"),
        ("a\n{{#if Id}}\nx", 3, "syntax"),
        ("a\n{{#if Id}}\n{{/each}}", 3, "was opened"),
        ("a\n{{nope Id}}", 2, "unknown helper \"nope\""),
        (
            "a\n{{#if Id}}\n{{upper (nope Id)}}{{/if}}",
            3,
            "unknown helper \"nope\"",
        ),
        ("{{#nope}}{{/nope}}", 1, "unknown helper"),
        ("\n{{log 'x'}}", 2, "unknown helper \"log\""),
        ("{{{{raw}}}}x{{{{/raw}}}}", 1, "unknown helper"),
        ("{{upper (Id)}}", 1, "unknown helper"),
        ("{{if Id}}", 1, "must be a block"),
        ("{{#upper Id}}{{/upper}}", 1, "cannot be a block"),
        ("{{replace Id 'x'}}", 1, "needs at least 3"),
        ("{{#each}}{{/each}}", 1, "needs at least 1"),
        ("\n{{> other}}", 2, "no inline partial \"other\""),
        ("{{> (lower Id)}}", 1, "cannot be computed"),
        ("{{* set x=1}}", 1, "unknown decorator"),
        ("{{#*inline Id}}{{/inline}}", 1, "name in quotes"),
    ] {
        let error = Template::compile(source, Escape::Html).expect_err(source);
        assert_eq!(
            (error.line, error.message.contains(words)),
            (line, true),
            "{source}: {error}"
        );
    }
}

#[test]
fn hostile_templates_are_refused_before_they_cost_anything() {
    let nested = |open: &str, close: &str, times: usize| open.repeat(times) + &close.repeat(times);
    let doubling: String = (0..40)
        .map(|number| {
            format!(
                "{{{{#*inline 'p{}'}}}}{{{{> p{number}}}}}{{{{> p{number}}}}}{{{{/inline}}}}",
                number + 1
            )
        })
        .collect();
    for (source, words) in [
        (nested("{{#if Id}}", "{{/if}}", 30_000), "nested"),
        (
            format!("{{{{#if Id}}}}{}{{{{/if}}}}", "{{else if Id}}".repeat(5_000)),
            "nested",
        ),
        (
            format!(
                "{{{{upper {}Id{}}}}}",
                "(lower ".repeat(50_000),
                ")".repeat(50_000)
            ),
            "brackets",
        ),
        (
            format!("{{{{upper {}{}}}}}", "[".repeat(50_000), "]".repeat(50_000)),
            "brackets",
        ),
        ("{{Id}}".repeat(100_000), "more than 2000"),
        (
            "{{#*inline 'a'}}{{> a}}{{/inline}}{{> a}}".to_owned(),
            "uses itself",
        ),
        (
            "{{#*inline 'a'}}{{> b}}{{/inline}}{{#*inline 'b'}}{{#if Id}}{{> a}}{{/if}}{{/inline}}{{> b}}"
                .to_owned(),
            "uses itself",
        ),
        (
            "{{#*inline 'a'}}{{#> b}}{{> a}}{{/b}}{{/inline}}{{#*inline 'b'}}x{{/inline}}{{> a}}".to_owned(),
            "uses itself",
        ),
        (
            format!("{{{{#*inline 'p0'}}}}x{{{{/inline}}}}{doubling}{{{{> p40}}}}"),
            "too much work",
        ),
        (
            nested("{{#each Attributes.many}}", "{{/each}}", 6),
            "too much work",
        ),
    ] {
        let error = Template::compile(&source, Escape::Html).expect_err(words);
        assert!(error.message.contains(words), "{error}");
    }
    // As large and as full as is allowed, this still takes no time to speak of.
    let full = format!("{}{}", "{{Id}}\n".repeat(2_000), "x".repeat(580_000));
    assert!(Template::compile(&full, Escape::Html).is_ok());
    let deep = nested("{{#if Id}}", "{{/if}}", 60);
    assert_eq!(render(&deep, Escape::Html).as_deref(), Ok(""));
}

#[test]
fn output_is_capped() {
    let long = "x".repeat(400_000);
    let grown = format!(
        "{{{{#each Attributes.many}}}}{{{{#each ../Attributes.many}}}}{long}{{{{/each}}}}{{{{/each}}}}"
    );
    for source in [
        grown,
        "{{ljust 'x' 10000000}}".to_owned(),
        "{{replace (ljust 'x' 2000000 pad='x') 'x' 'yyyyyyyyyy'}}".to_owned(),
        format!(
            "{{{{replace (replace '{0}' 'x' '{0}') 'x' '{0}'}}}}",
            "x".repeat(5_000)
        ),
    ] {
        let error = render(&source, Escape::Html).unwrap_err();
        assert!(
            error.contains("too long") || error.contains("longer than 10 MB"),
            "{error}"
        );
    }
}
