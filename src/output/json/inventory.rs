//! Ansible's dynamic inventory. Its form knows groups and `_meta` alone, so there is no envelope.

use super::{Serialize, state_of, time};
use crate::model::{Description, Location, Org, State};
use serde::{Serializer, ser::SerializeMap};
use std::{collections::BTreeMap, net::Ipv4Addr};

/// Hosts by group, and the variables of each host.
#[derive(Debug)]
pub struct Inventory {
    groups: BTreeMap<String, Vec<String>>,
    hosts: BTreeMap<String, Variables>,
}

/// The variables of one host; all but those of Ansible itself begin with `iwas_wg_`.
#[derive(Debug, Serialize)]
pub struct Variables {
    #[serde(skip_serializing_if = "Option::is_none")]
    ansible_host: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ansible_user: Option<String>,
    iwas_wg_org: Option<Text>,
    iwas_wg_description: Option<Text>,
    iwas_wg_tags: BTreeMap<String, Text>,
    iwas_wg_public_key: Option<String>,
    iwas_wg_key_mode: &'static str,
    iwas_wg_state: &'static str,
    iwas_wg_last_handshake: Option<String>,
    iwas_wg_expires_at: Option<String>,
}

/// Text that somebody typed. Ansible would run a template in it on the machine that reads the
/// inventory, so it is told not to.
#[derive(Debug)]
struct Text(String);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !self.0.contains('{') {
            return s.serialize_str(&self.0);
        }
        let mut map = s.serialize_map(Some(1))?;
        map.serialize_entry("__ansible_unsafe", &self.0)?;
        map.end()
    }
}

impl Default for Inventory {
    /// No hosts yet; the groups that playbooks ask for by name are there even if they are empty.
    fn default() -> Self {
        let states = [State::Online, State::Offline].map(|s| (s.as_str().to_owned(), Vec::new()));
        Self { groups: BTreeMap::from(states), hosts: BTreeMap::new() }
    }
}

impl Inventory {
    /// The variables of a location.
    pub fn variables(l: &Location, user: Option<&str>) -> Variables {
        let text = |s: &str| Text(s.to_owned());
        Variables {
            ansible_host: l.vpn_ip,
            ansible_user: user.map(str::to_owned),
            iwas_wg_org: l.org.as_ref().map(Org::as_str).map(text),
            iwas_wg_description: l.description.as_ref().map(Description::as_str).map(text),
            iwas_wg_tags: l.tags.iter().map(|(k, v)| (k.clone(), text(v))).collect(),
            iwas_wg_public_key: l.public_key.map(|k| k.to_string()),
            iwas_wg_key_mode: l.key_mode.as_str(),
            iwas_wg_state: state_of(l).as_str(),
            iwas_wg_last_handshake: l.reading.as_ref().and_then(|r| r.last_handshake).map(time),
            iwas_wg_expires_at: l.expires_at.map(time),
        }
    }

    /// Adds a location to its groups, under the name that it has there.
    pub fn add(&mut self, name: &str, l: &Location, user: Option<&str>, groups: Vec<String>) {
        for group in groups {
            self.groups.entry(group).or_default().push(name.to_owned());
        }
        self.hosts.insert(name.to_owned(), Self::variables(l, user));
    }
}

#[derive(Serialize)]
struct Hosts<'a> {
    hosts: &'a [String],
}

#[derive(Serialize)]
struct Meta<'a> {
    hostvars: &'a BTreeMap<String, Variables>,
}

impl Serialize for Inventory {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let all: Vec<String> = self.hosts.keys().cloned().collect();
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("_meta", &Meta { hostvars: &self.hosts })?;
        map.serialize_entry("all", &Hosts { hosts: &all })?;
        for (group, hosts) in &self.groups {
            map.serialize_entry(group, &Hosts { hosts })?;
        }
        map.end()
    }
}
