//! Which values wg(8), wg-quick(8) and the programs that it calls take, and what they mean.
//!
//! A host name is judged by its form alone: whether it resolves is for the day it is dialled. Where
//! the tools take a value and then do something else than it says (a port above 65535 wraps
//! around, an all-zero key is no key), it is refused here.

use super::{Fault, parse};
use crate::model::{PresharedKey, PrivateKey, PublicKey, endpoint::check_host};
use ipnet::IpNet;
use parse::{Setting, is_space_byte};
use std::{
    borrow::Cow,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};
use zeroize::Zeroizing;

/// Whether the tools take this value for the setting.
///
/// # Errors
/// The [`Fault`] with the reason.
pub(super) fn judge(setting: Setting, value: &[u8]) -> Result<(), Fault> {
    // wg-quick hands hooks to the shell and resolver names to resolvconf, whatever they are; an
    // empty value of its own keys is as good as none.
    let for_quick = matches!(setting, Setting::Address | Setting::Mtu | Setting::Table);
    if setting.is_hook() || setting == Setting::Dns || (for_quick && value.is_empty()) {
        return Ok(());
    }
    let wrong =
        |why: Cow<'static, str>| Fault::Value { key: setting.name(), shown: shown(setting, value), why };
    if value.is_empty() {
        return Err(wrong("is empty".into()));
    }
    let Ok(text) = std::str::from_utf8(value) else {
        return Err(wrong("is not UTF-8 text".into()));
    };
    let compacted = text.contains(parse::is_space).then(|| Zeroizing::new(without_space(text)));
    let text = compacted.as_ref().map_or(text, |c| c.as_str());
    let verdict = match setting {
        Setting::PublicKey => text.parse::<PublicKey>().map(drop).map_err(|e| e.reason.into()),
        Setting::PrivateKey => PrivateKey::from_base64(text).map(drop).map_err(Into::into),
        Setting::PresharedKey => PresharedKey::from_base64(text).map(drop).map_err(Into::into),
        Setting::AllowedIps => networks(text).map(drop).map_err(|member| format!("has {member}").into()),
        Setting::Address => match addresses(value).find_map(Result::err) {
            None => Ok(()),
            Some(member) => Err(format!("has {member}").into()),
        },
        Setting::Endpoint => endpoint(text),
        Setting::ListenPort => port(text).map(drop),
        Setting::PersistentKeepalive => {
            keepalive(text).map(drop).ok_or_else(|| "is not off or a number of seconds up to 65535".into())
        }
        Setting::FwMark => {
            mark(text).map(drop).ok_or_else(|| "is not off, a number or 0x and a hexadecimal number".into())
        }
        Setting::Mtu => {
            let ok = number(text).is_some_and(|n| (68..=65535).contains(&n));
            if ok { Ok(()) } else { Err("is not a number from 68 to 65535".into()) }
        }
        Setting::SaveConfig if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
            Ok(())
        }
        Setting::SaveConfig => Err("is neither true nor false".into()),
        Setting::Table => table(text),
        _ => Ok(()),
    };
    verdict.map_err(wrong)
}

/// The value, where it cannot be a key or a part of one.
fn shown(setting: Setting, value: &[u8]) -> String {
    let is_key = matches!(setting, Setting::PublicKey | Setting::PrivateKey | Setting::PresharedKey);
    let longest = value.split(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')));
    let suspicious = longest.map(<[u8]>::len).max().unwrap_or_default() > 15;
    match std::str::from_utf8(value) {
        Ok(text) if !is_key && !suspicious && !text.is_empty() && text.len() <= 80 => format!("{text:?} "),
        _ => String::new(),
    }
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !parse::is_space(*c)).collect()
}

/// The text of a value that was judged, without white space.
pub(super) fn text(value: &[u8]) -> String {
    without_space(&parse::decoded(value))
}

/// A public key that was judged.
pub(super) fn public_key(value: &[u8]) -> Result<PublicKey, Fault> {
    text(value).parse().map_err(|e: crate::model::Invalid| Fault::Value {
        key: "PublicKey",
        shown: String::new(),
        why: e.reason.into(),
    })
}

/// Digits alone, as the tools read numbers: no sign, leading zeros mean nothing.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A UDP port.
pub(super) fn port(text: &str) -> Result<u16, Cow<'static, str>> {
    match number(text).map(u16::try_from) {
        Some(Ok(port)) => Ok(port),
        _ => Err("is not a port number up to 65535".into()),
    }
}

/// Seconds; 0 for none.
pub(super) fn keepalive(text: &str) -> Option<u16> {
    if text.eq_ignore_ascii_case("off") {
        return Some(0);
    }
    number(text)?.try_into().ok()
}

/// A firewall mark; 0 for none.
pub(super) fn mark(text: &str) -> Option<u32> {
    if text.eq_ignore_ascii_case("off") {
        return Some(0);
    }
    match text.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => number(text),
    }
}

/// A routing table of ip-route(8).
fn table(text: &str) -> Result<(), Cow<'static, str>> {
    let word = ["off", "auto"].into_iter().find(|w| text.eq_ignore_ascii_case(w));
    match word {
        Some(word) if word != text => Err(format!("must be written {word:?}, in lower case").into()),
        Some(_) => Ok(()),
        // A name is one of rt_tables, which is not looked at.
        None if text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) => Ok(()),
        None => Err("is no routing table".into()),
    }
}

/// Host and port, where wg(8) parts them: at the last colon.
fn host_and_port(text: &str) -> Result<(&str, u16), &'static str> {
    let (host, after) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("lacks the closing bracket")?;
        (host, rest.strip_prefix(':'))
    } else {
        text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let after = after.filter(|p| !p.is_empty()).ok_or("has no port")?;
    Ok((host, port(after).map_err(|_| "has no port number up to 65535 after its colon")?))
}

/// An endpoint in one form, however it is written; a host name stays as it is.
pub(super) fn endpoint_text(value: &[u8]) -> String {
    let text = text(value);
    let socket =
        host_and_port(&text).ok().and_then(|(host, port)| Some(SocketAddr::new(host.parse().ok()?, port)));
    socket.map_or(text, |socket| socket.to_string())
}

fn endpoint(text: &str) -> Result<(), Cow<'static, str>> {
    let (host, _) = host_and_port(text)?;
    // A link-local address names its interface behind a percent sign.
    let address = host.split_once('%').filter(|(_, zone)| !zone.is_empty()).map_or(host, |(a, _)| a);
    if host.parse::<IpAddr>().is_ok() || address.parse::<Ipv6Addr>().is_ok() {
        return Ok(());
    }
    check_host(host).map_err(Cow::from)
}

/// The networks of an `AllowedIPs` value.
///
/// # Errors
/// What is wrong with the first member that wg(8) refuses.
pub(super) fn networks(list: &str) -> Result<Vec<IpNet>, String> {
    list.split(',').map(|member| network(&without_space(member))).collect()
}

/// The addresses of an `Address` value, which wg-quick(8) splits at commas and white space.
pub(super) fn addresses(list: &[u8]) -> impl Iterator<Item = Result<IpNet, String>> {
    let members = list.split(|&b| b == b',' || is_space_byte(b)).filter(|m| !m.is_empty());
    members.map(|m| network(&String::from_utf8_lossy(m)))
}

/// A network; an address without prefix length is a whole host.
pub(super) fn network(member: &str) -> Result<IpNet, String> {
    if member.is_empty() {
        return Err("an empty member".to_owned());
    }
    let (address, prefix) = member.split_once('/').map_or((member, None), |(a, p)| (a, Some(p)));
    let host: IpAddr = address.parse().map_err(|_| "a member that is no IP address".to_owned())?;
    let most = if host.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => Some(most),
        Some("") => None,
        Some(digits) => number(digits).and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= most),
    };
    let prefix = prefix.ok_or_else(|| format!("a prefix length that is not 0 to {most}"))?;
    IpNet::new(host, prefix).map_err(|e| e.to_string())
}
