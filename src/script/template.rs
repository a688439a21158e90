//! The operator's own additions to a script: RouterOS text with placeholders.

use super::{
    Site,
    expand::{Directives, FlawKind, Value, Values, expand},
    values,
};
use crate::model::Invalid;
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Placeholders with a value for every site, as the documentation lists them. `tag.KEY` is the
/// value of a tag. There is none for a private or preshared key: they stay in our own script.
pub const PLACEHOLDERS: [&str; 17] = [
    "address",
    "allowed_address",
    "comment",
    "description",
    "endpoint_address",
    "endpoint_port",
    "hub_ip",
    "hub_public_key",
    "interface",
    "keepalive",
    "listen_port",
    "mtu",
    "name",
    "network",
    "org",
    "public_key",
    "vpn_ip",
];

/// Fills in the operator's template, which is to be appended to our own script.
///
/// A placeholder is written `{{name}}`, outside of quotes: text comes as a RouterOS string with
/// its own quotes, numbers and addresses bare. What the location lacks (org, description, public
/// key) is the empty string. Objects given `comment={{comment}}` go with the `remove` script.
///
/// # Errors
/// [`Invalid`] for a placeholder that is unknown, not closed, between quotes, or names a tag that
/// the location does not have; the reason gives the line.
pub fn render_template(site: &Site<'_>, text: &str) -> Result<Zeroizing<String>, Invalid> {
    // Editors put a byte order mark there, which the router refuses.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    expand(text, &of_template(site), Directives::Off).map_err(|flaw| {
        let line = flaw.line;
        let (reason, hint) = match flaw.kind {
            FlawKind::Unknown => (format!("is unknown (line {line} of the template)"), known(site)),
            FlawKind::Unclosed => (
                format!("is not closed (line {line} of the template)"),
                "write {{name}} on one line; write \"{ {\" for two opening braces".to_owned(),
            ),
            FlawKind::Quoted => (
                format!("stands between quotes (line {line} of the template)"),
                "leave the quotes out, the value brings its own: comment={{name}}; join texts with a dot: \
                 (\"site \" . {{name}})"
                    .to_owned(),
            ),
            FlawKind::Directive => (format!("is no template text (line {line})"), known(site)),
        };
        Invalid::new("placeholder", flaw.text, reason, hint)
    })
}

fn known(site: &Site<'_>) -> String {
    let mut hint = String::from("use one of ");
    let tags: Vec<String> = site.location.tags.keys().map(|key| format!("tag.{key}")).collect();
    // Writing to a String cannot fail.
    let _ = write!(hint, "{}", PLACEHOLDERS.join(", "));
    if tags.is_empty() {
        let _ = write!(hint, "; location \"{}\" has no tags", site.location.name);
    } else {
        let _ = write!(hint, ", {}", tags.join(", "));
    }
    hint
}

fn of_template(site: &Site<'_>) -> Values {
    let (location, options) = (site.location, &*site.options);
    let public_key = site.private_key.map(crate::model::PrivateKey::public).or(location.public_key);
    let allowed: Vec<String> = values::allowed(site).iter().map(ToString::to_string).collect();
    let mut v = Values::default();
    v.set("address", Value::text(&values::address(site)));
    v.set("allowed_address", Value::text(&allowed.join(",")));
    v.set("comment", Value::text(&values::tag(site)));
    v.set("description", Value::text(location.description.as_ref().map_or("", |d| d.as_str())));
    v.set("endpoint_address", Value::text(&values::endpoint_host(site)));
    v.set("endpoint_port", Value::Number(site.endpoint_port.into()));
    v.set("hub_ip", Value::Address(site.hub_ip));
    v.set("hub_public_key", Value::text(&site.hub_public_key.to_string()));
    v.set("interface", Value::text(&options.interface));
    v.set("keepalive", Value::Seconds(options.keepalive.into()));
    v.set("listen_port", Value::Number(options.listen_port.into()));
    v.set("mtu", Value::Number(options.mtu.into()));
    v.set("name", Value::text(location.name.as_str()));
    v.set("network", Value::text(&site.network.trunc().to_string()));
    v.set("org", Value::text(location.org.as_ref().map_or("", |o| o.as_str())));
    v.set("public_key", Value::text(&public_key.map_or(String::new(), |k| k.to_string())));
    v.set("vpn_ip", Value::Address(site.vpn_ip));
    for (key, value) in &location.tags {
        v.set(format!("tag.{key}"), Value::text(value));
    }
    v
}
