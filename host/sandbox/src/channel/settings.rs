//! Settings of a binding, parted: what the guest reads, and what only the host puts in.

use std::collections::HashMap;

use serde_json::Value;

/// Settings without their secrets, and the secrets by name.
#[derive(Default)]
pub struct Settings {
    /// A JSON object, as the guest gets it.
    pub visible: String,
    secrets: HashMap<String, String>,
}

impl Settings {
    /// Parts settings; `secret` names the members that the guest must not see.
    pub fn part(settings: &Value, secret: &[String]) -> Self {
        let mut visible = settings.as_object().cloned().unwrap_or_default();
        let secrets = secret
            .iter()
            .filter_map(|name| {
                let value = match visible.remove(name)? {
                    Value::String(text) => text,
                    Value::Null => return None,
                    other => other.to_string(),
                };
                Some((name.clone(), value))
            })
            .collect();
        Self {
            visible: Value::Object(visible).to_string(),
            secrets,
        }
    }

    /// A secret by its name.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_withheld() {
        let settings = json!({"host": "h", "password": "hunter2", "pin": 7, "token": null});
        let secret = ["password", "pin", "token", "absent"].map(str::to_owned);
        let parted = Settings::part(&settings, &secret);
        assert_eq!(parted.visible, r#"{"host":"h"}"#);
        assert_eq!(parted.secret("password"), Some("hunter2"));
        assert_eq!(parted.secret("pin"), Some("7"));
        assert_eq!(parted.secret("token"), None);
        assert_eq!(parted.secret("host"), None);
    }

    #[test]
    fn settings_that_are_no_object_are_empty() {
        assert_eq!(Settings::part(&json!("x"), &[]).visible, "{}");
    }
}
