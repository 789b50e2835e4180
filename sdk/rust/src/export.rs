//! The macros that make a component of a type. They expand to nothing that a native build would notice,
//! so that a plugin's logic can be tested as plain Rust.

pub use wit_bindgen;

/// The version that goes into the custom section `pinion-sdk`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Exports a [`Channel`](crate::Channel): `channel!(Type, manifest = "../plugin.json")`.
#[macro_export]
macro_rules! channel {
    ($channel:ty, manifest = $manifest:literal) => {
        $crate::__sections!($manifest);

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::channel as bindings;
            use $crate::channel as glue;

            /// One instance serves one binding, and lives as long as its memory.
            fn channel() -> &'static Result<$channel, String> {
                thread_local! {
                    static CHANNEL: &'static Result<$channel, String> = Box::leak(Box::new(glue::open()));
                }
                CHANNEL.with(|channel| *channel)
            }

            struct Component;

            impl bindings::exports::pinion::channel::channel::Guest for Component {
                async fn check() -> Vec<$crate::Problem> {
                    glue::check(channel()).await
                }

                async fn send(batch: Vec<$crate::Message>) -> Vec<$crate::Outcome> {
                    glue::send(channel(), batch).await
                }

                async fn events(
                    request: $crate::Webhook,
                ) -> Result<(Vec<$crate::Event>, $crate::WebhookReply), String> {
                    glue::events(channel(), request).await
                }
            }

    $crate::bindings::channel::export_channel!(Component with_types_in $crate::bindings::channel);
        };
    };
}

/// Exports a [`Predicate`](crate::Predicate): `predicate!(Type, manifest = "../plugin.json")`.
#[macro_export]
macro_rules! predicate {
    ($predicate:ty, manifest = $manifest:literal) => {
        $crate::__sections!($manifest);

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::predicate as bindings;
            use $crate::predicate as glue;

            thread_local! {
                static EVALUATION: std::cell::RefCell<Option<glue::Evaluation<$predicate>>> =
                    const { std::cell::RefCell::new(None) };
            }

            struct Component;

            impl bindings::exports::pinion::predicate::predicate::Guest for Component {
                fn inputs(settings: String) -> Result<Vec<$crate::ColumnSpec>, String> {
                    glue::inputs::<$predicate>(&settings)
                }

                fn begin(
                    settings: String,
                    now: i64,
                    dictionaries: Vec<$crate::columns::Dictionary>,
                ) -> Result<(), String> {
                    let begun = glue::Evaluation::begin(&settings, now, dictionaries)?;
                    EVALUATION.set(Some(begun));
                    Ok(())
                }

                fn evaluate(rows: $crate::columns::Rows) -> Result<Vec<u8>, String> {
                    EVALUATION.with_borrow(|evaluation| match evaluation {
                        Some(evaluation) => Ok(evaluation.evaluate(&rows)),
                        None => Err("evaluate was called before begin".to_owned()),
                    })
                }
            }

            $crate::bindings::predicate::export_predicate!(
                Component with_types_in $crate::bindings::predicate
            );
        };
    };
}

/// Exports a [`Personalizer`](crate::Personalizer): `personalizer!(Type, manifest = "../plugin.json")`.
#[macro_export]
macro_rules! personalizer {
    ($personalizer:ty, manifest = $manifest:literal) => {
        $crate::__sections!($manifest);

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use bindings::exports::pinion::personalizer::personalizer::Personalized;
            use $crate::bindings::personalizer as bindings;
            use $crate::personalizer as glue;

            thread_local! {
                /// The personalizer of the settings that came last: they rarely change.
                static LATEST: std::cell::RefCell<Option<(String, $personalizer)>> =
                    const { std::cell::RefCell::new(None) };
            }

            struct Component;

            impl bindings::exports::pinion::personalizer::personalizer::Guest for Component {
                fn inputs(settings: String) -> Result<Vec<$crate::ColumnSpec>, String> {
                    let personalizer: $personalizer = glue::open(&settings)?;
                    Ok($crate::Personalizer::inputs(&personalizer))
                }

                fn outputs(settings: String) -> Result<Vec<$crate::ColumnSpec>, String> {
                    let personalizer: $personalizer = glue::open(&settings)?;
                    Ok($crate::Personalizer::outputs(&personalizer))
                }

                fn personalize(
                    settings: String,
                    now: i64,
                    rows: $crate::columns::Rows,
                ) -> Result<Personalized, String> {
                    LATEST.with_borrow_mut(|latest| {
                        let known = latest.take_if(|(of, _)| *of == settings);
                        let (_, personalizer) = latest.insert(match known {
                            Some(known) => known,
                            None => {
                                let made = glue::open(&settings)?;
                                (settings, made)
                            }
                        });
                        Ok(glue::personalize(personalizer, now, &rows))
                    })
                }
            }

            $crate::bindings::personalizer::export_personalizer!(
                Component with_types_in $crate::bindings::personalizer
            );
        };
    };
}

/// The custom sections `pinion-manifest` and `pinion-sdk`.
#[doc(hidden)]
#[macro_export]
macro_rules! __sections {
    ($manifest:literal) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[unsafe(link_section = "pinion-manifest")]
            pub static MANIFEST: [u8; include_bytes!($manifest).len()] = *include_bytes!($manifest);

            #[unsafe(link_section = "pinion-sdk")]
            pub static SDK: [u8; $crate::export::SECTION.len()] = *$crate::export::SECTION;
        };
    };
}

/// Language and version, as the section holds them.
pub const SECTION: &[u8; 5 + VERSION.len()] = &{
    let mut bytes = [0; 5 + VERSION.len()];
    let (language, version) = bytes.split_at_mut(5);
    language.copy_from_slice(b"rust ");
    version.copy_from_slice(VERSION.as_bytes());
    bytes
};
