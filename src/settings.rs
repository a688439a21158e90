//! Settings: flag over environment over `config.toml` over default.
//!
//! Must not know what the settings are used for. A wrong key or value is an error that names
//! file, line and remedy; nothing is guessed. What this version cannot honour it refuses,
//! rather than let somebody believe in it.

mod backend;
mod bring_up;
mod edit;
mod file;
mod initial;
mod known;
mod routers;
mod rules;

pub use backend::Backend;
pub use bring_up::BringUp;
pub use edit::{Dotted, Edited, meanings};
pub use initial::{Initial, text as initial_text};
pub use known::{FILES, KNOWN, KeptFile, Key, Section};

use crate::{
    fsx,
    model::{Endpoint, InterfaceName, KeyMode, Pool, Reserved, RouterFor, RouterOptions, Rules},
};
use file::{File, Value};
use ipnet::Ipv4Net;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// One line with file, line and value.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
    /// The wrong value came with this call (a variable), not from the file.
    pub usage: bool,
}

/// Where things are, before any file is read.
#[derive(Debug, Clone)]
pub struct Places {
    root: Option<PathBuf>,
    /// The settings file.
    pub config: PathBuf,
    /// The store.
    pub database: PathBuf,
    /// Directory of the identity and, where the user is not root, of the conf.
    etc: PathBuf,
    wireguard: PathBuf,
}

impl Places {
    /// From the flags `--root`, `--config` and `--database`, then the environment.
    /// Without a root and not as root, the XDG directories of the user.
    pub fn new(
        root: Option<&Path>,
        config: Option<&Path>,
        database: Option<&Path>,
        vars: &BTreeMap<String, String>,
        is_root: bool,
    ) -> Self {
        let pick = |flag: Option<&Path>, name: &str| {
            flag.map(Path::to_owned).or_else(|| variable(vars, name).map(PathBuf::from))
        };
        let root = pick(root, "IWAS_WG_ROOT");
        let (etc, var, wireguard) = if root.is_none() && !is_root {
            let home = variable(vars, "HOME").unwrap_or("/");
            let xdg = |name: &str, default: &str| {
                variable(vars, name)
                    .map_or_else(|| Path::new(home).join(default), PathBuf::from)
                    .join("iwas-wg")
            };
            let etc = xdg("XDG_CONFIG_HOME", ".config");
            (etc.clone(), xdg("XDG_STATE_HOME", ".local/state"), etc)
        } else {
            let below = |p: &str| below(root.as_deref(), Path::new(p));
            (below("/etc/iwas-wg"), below("/var/lib/iwas-wg"), below("/etc/wireguard"))
        };
        Self {
            config: pick(config, "IWAS_WG_CONFIG").unwrap_or_else(|| etc.join("config.toml")),
            database: pick(database, "IWAS_WG_DATABASE").unwrap_or_else(|| var.join("iwas-wg.db")),
            root,
            etc,
            wireguard,
        }
    }

    /// A path from the settings, below the root where there is one.
    pub fn below_root(&self, path: &Path) -> PathBuf {
        below(self.root.as_deref(), path)
    }

    /// The lock file, beside the store.
    pub fn lock(&self) -> PathBuf {
        self.database.with_extension("lock")
    }

    /// Where the hub's identity is unless the settings say otherwise.
    pub fn default_identity(&self) -> PathBuf {
        self.etc.join("identity.txt")
    }

    /// Where a new hub gets its identity: beside its settings, so that one with settings elsewhere
    /// does not find another hub's there.
    pub fn new_identity(&self) -> PathBuf {
        self.config.with_file_name("identity.txt")
    }

    /// Where the conf is unless the settings say otherwise.
    pub fn default_conf(&self, interface: &InterfaceName) -> PathBuf {
        self.wireguard.join(format!("{interface}.conf"))
    }

    /// A default path as it is written into the settings: without the root.
    pub fn written(&self, path: &Path) -> PathBuf {
        match &self.root {
            Some(root) => {
                path.strip_prefix(root).map_or_else(|_| path.to_owned(), |p| Path::new("/").join(p))
            }
            None => path.to_owned(),
        }
    }
}

fn below(root: Option<&Path>, path: &Path) -> PathBuf {
    match root {
        Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_owned(),
    }
}

fn variable<'a>(vars: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    vars.get(name).map(String::as_str).filter(|v| !v.is_empty())
}

/// All settings of a hub.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where things are.
    pub places: Places,
    /// `hub.interface`.
    pub interface: InterfaceName,
    /// `hub.endpoint`; `None` while empty.
    pub endpoint: Option<Endpoint>,
    /// `hub.listen_port`.
    pub listen_port: u16,
    /// `hub.network` and `hub.reserved`, with the hub where `hub.address` says, else first.
    pub pool: Pool,
    /// `hub.address`; what the hub has now is in the store.
    pub address: Option<Ipv4Net>,
    /// `hub.conf`, below the root.
    pub conf: PathBuf,
    /// `hub.backend`.
    pub backend: Backend,
    /// `hub.bring_up`.
    pub bring_up: BringUp,
    /// `[router]`.
    pub router: RouterOptions,
    /// `[[router.for]]`, in the order of the file.
    pub router_for: Vec<RouterFor>,
    /// `keys.mode`.
    pub key_mode: KeyMode,
    /// `keys.recipients`.
    pub recipients: Vec<String>,
    /// `keys.identity`, below the root.
    pub identity: PathBuf,
    /// `keys.preshared`: whether new keys get a preshared key with them.
    pub preshared: bool,
    /// `keys.rotate_timeout` in seconds: how long a next key may wait for its handshake.
    pub rotate_timeout: i64,
    /// `heartbeat.offline_after` in seconds.
    pub offline_after: u32,
    /// `heartbeat.metrics_file`, below the root; `None` while empty.
    pub metrics_file: Option<PathBuf>,
    /// `[access]`.
    pub access: Rules,
    /// `heartbeat.confirm`: how many heartbeats must see a change before it is announced.
    pub confirm: u32,
    /// `heartbeat.keep_history` in days.
    pub keep_history: u32,
    /// `heartbeat.on_change`: program and arguments; `None` while empty.
    pub on_change: Option<Vec<String>>,
    /// `heartbeat.on_change_timeout` in seconds.
    pub on_change_timeout: u32,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`SettingsError`] if the file is missing or anything in it or in the environment is wrong.
    pub fn load(places: Places, vars: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let bytes = fsx::read_trusted(&places.config).map_err(|e| SettingsError {
            message: e.to_string(),
            hint: Some(e.untrusted().map_or_else(
                || "run it as root or with sudo, or name the file with --config".to_owned(),
                fsx::Untrusted::remedy,
            )),
            usage: false,
        })?;
        let Some(bytes) = bytes else {
            return Err(SettingsError {
                message: format!("there are no settings at {}", places.config.display()),
                hint: Some("run \"iwas-wg init\", or name the file with --config or --root".into()),
                usage: false,
            });
        };
        Self::from_bytes(places, &bytes, vars)
    }

    /// Reads settings that are, or shall be, the content of the file.
    ///
    /// # Errors
    /// [`SettingsError`] with the line and the remedy.
    pub fn from_bytes(
        places: Places,
        bytes: &[u8],
        vars: &BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let file = File::parse(&places.config, bytes, vars)?;

        let interface: InterfaceName = file.parsed("hub", "interface")?.unwrap_or_else(default_interface);
        let reserved = file
            .list("hub", "reserved")?
            .iter()
            .map(Value::parse::<Reserved>)
            .collect::<Result<Vec<_>, _>>()?;
        let pool = match file.text("hub", "network")? {
            Some(network) => Pool::new(&network.text, &reserved).map_err(|e| network.wrong(&e))?,
            None => Pool::new(DEFAULT_NETWORK, &reserved).map_err(|e| file.wrong(&e))?,
        };
        let address = hub_address(&file, &pool)?;
        let pool = match address {
            None => pool,
            Some(address) => pool.with_hub(address.addr()),
        };
        let endpoint = match file.text("hub", "endpoint")? {
            Some(v) if !v.text.is_empty() => Some(v.parse()?),
            _ => None,
        };
        let path = |section, key| -> Result<Option<PathBuf>, SettingsError> {
            let value = file.text(section, key)?.filter(|v| !v.text.is_empty());
            value
                .map(|v| {
                    let path = Path::new(&v.text);
                    if path.is_absolute() {
                        Ok(places.below_root(path))
                    } else {
                        Err(v.refused("is not an absolute path", "begin it with /"))
                    }
                })
                .transpose()
        };
        let conf = path("hub", "conf")?.unwrap_or_else(|| places.default_conf(&interface));
        let identity = path("keys", "identity")?.unwrap_or_else(|| places.default_identity());
        let metrics_file = path("heartbeat", "metrics_file")?;
        Ok(Self {
            access: rules::rules(&file)?,
            endpoint,
            listen_port: file.number("hub", "listen_port", 1..=65535)?.unwrap_or(DEFAULT_PORT),
            backend: file.parsed("hub", "backend")?.unwrap_or(Backend::Auto),
            bring_up: file.parsed("hub", "bring_up")?.unwrap_or_default(),
            router: routers::options(&file)?,
            router_for: routers::for_some(&file)?,
            key_mode: file.parsed("keys", "mode")?.unwrap_or(KeyMode::Stored),
            recipients: file.list("keys", "recipients")?.into_iter().map(|v| v.text).collect(),
            preshared: file.flag("keys", "preshared")?.unwrap_or(false),
            rotate_timeout: file.span("keys", "rotate_timeout")?.unwrap_or(86_400),
            offline_after: file.seconds("heartbeat", "offline_after", 1..=86_400)?.unwrap_or(180),
            confirm: file.number("heartbeat", "confirm", 1..=1000)?.unwrap_or(1),
            keep_history: file.number("heartbeat", "keep_history", 1..=36_500)?.unwrap_or(400),
            on_change: on_change(&file)?,
            on_change_timeout: file.seconds("heartbeat", "on_change_timeout", 1..=3600)?.unwrap_or(30),
            interface,
            pool,
            address,
            conf,
            identity,
            metrics_file,
            places,
        })
    }
}

const DEFAULT_PORT: u16 = 51820;
const DEFAULT_NETWORK: &str = "10.0.0.0/24";

fn default_interface() -> InterfaceName {
    "wg0".parse().unwrap_or_else(|e| unreachable!("{e}"))
}

/// The hub's address. A network that was changed may not have it: it is kept all the same.
fn hub_address(file: &File<'_>, pool: &Pool) -> Result<Option<Ipv4Net>, SettingsError> {
    let values = file.texts("hub", "address")?;
    let Some(first) = values.first() else {
        return Ok(None);
    };
    if let Some(second) = values.get(1) {
        return Err(second.refused("is a second address of the hub", "name one; others belong into the conf"));
    }
    let hint = "write an IPv4 address of the network, such as \"10.0.0.1/24\"";
    let given = match first.text.parse::<Ipv4Net>() {
        Ok(net) => Ok(net),
        Err(_) => {
            first.text.parse().map(|ip| if pool.has_host(ip) { pool.with_prefix(ip) } else { ip.into() })
        }
    };
    let address = given.map_err(|_| first.refused("is not an IPv4 address", hint))?;
    let ip = address.addr();
    let is_edge = address.prefix_len() < 31 && (ip == address.network() || ip == address.broadcast());
    let is_edge = is_edge || pool.network().contains(&ip) && !pool.has_host(ip);
    if is_edge || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || ip.is_broadcast() {
        return Err(first.refused("is no host of its network", hint));
    }
    Ok(Some(address))
}

/// A program and its arguments, each a word of its own: no shell ever reads them.
fn on_change(file: &File<'_>) -> Result<Option<Vec<String>>, SettingsError> {
    let words = file.list("heartbeat", "on_change")?;
    match words.first() {
        None => Ok(None),
        Some(program) if program.text.trim().is_empty() => {
            Err(program.refused("is not a program", "name the program first, then each argument"))
        }
        Some(_) => Ok(Some(words.into_iter().map(|w| w.text).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, vars: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().expect("dir");
        let config = dir.path().join("config.toml");
        std::fs::write(&config, text).expect("write");
        let vars: BTreeMap<String, String> =
            vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let places = Places::new(Some(Path::new("/r")), Some(&config), None, &vars, true);
        Settings::load(places, &vars).map_err(|mut e| {
            e.message = e.message.replace(&config.display().to_string(), "config.toml");
            e
        })
    }

    #[test]
    fn an_empty_file_gives_the_defaults_below_the_root() {
        let s = load("", &[]).expect("defaults");
        assert_eq!(s.interface.as_str(), "wg0");
        assert_eq!(s.pool.network().to_string(), "10.0.0.0/24");
        assert_eq!((s.listen_port, s.offline_after, s.endpoint), (51820, 180, None));
        assert_eq!(s.conf, Path::new("/r/etc/wireguard/wg0.conf"));
        assert_eq!(s.identity, Path::new("/r/etc/iwas-wg/identity.txt"));
        assert_eq!(s.places.database, Path::new("/r/var/lib/iwas-wg/iwas-wg.db"));
        assert_eq!(s.places.lock(), Path::new("/r/var/lib/iwas-wg/iwas-wg.lock"));
        assert_eq!(s.router, RouterOptions::default());
    }

    #[test]
    fn the_environment_comes_before_the_file() {
        let s = load("[hub]\nnetwork = \"10.1.0.0/24\"\n", &[("IWAS_WG_NETWORK", "10.2.0.0/16")])
            .expect("settings");
        assert_eq!(s.pool.network().to_string(), "10.2.0.0/16");
        let e = load("", &[("IWAS_WG_LISTEN_PORT", "0")]).expect_err("port 0");
        assert!(e.usage);
        assert_eq!(e.message, "IWAS_WG_LISTEN_PORT: \"0\" is not a number from 1 to 65535");
    }

    #[test]
    fn mistakes_are_told_with_line_and_remedy() {
        for (text, message, hint) in [
            (
                "[hub]\nendpiont = \"x\"\n",
                "config.toml line 2: unknown setting \"hub.endpiont\"",
                "did you mean \"endpoint\"?",
            ),
            ("\n[hbu]\n", "config.toml line 2: unknown section \"hbu\"", "did you mean \"hub\"?"),
            (
                "[hub]\nlisten_port = \"51820\"\n",
                "config.toml line 2: hub.listen_port must be a number, not a string",
                "write it without quotes",
            ),
            (
                "[hub]\nnetwork = 1\n",
                "config.toml line 2: hub.network must be a string, not an integer",
                "write it in quotes",
            ),
            (
                "[router]\nmtu = 99999\n",
                "config.toml line 2: router.mtu: \"99999\" is not a number from 576 to 65535",
                "correct the value",
            ),
            (
                "[hub]\nnetwork = \"10.0.0.1/24\"\n",
                "config.toml line 2: network \"10.0.0.1/24\" has host bits set",
                "write the network itself: \"10.0.0.0/24\"",
            ),
            (
                "[router]\nroutes = [\"0.0.0.0/0\"]\n",
                "config.toml line 2: router.routes has a default route",
                "name the networks behind the hub: a default route would take the tunnel's own packets",
            ),
            (
                "[keys]\nidentity = \"id\"\n",
                "config.toml line 2: keys.identity: \"id\" is not an absolute path",
                "begin it with /",
            ),
        ] {
            let e = load(text, &[]).expect_err(text);
            assert_eq!(e.message, message);
            assert_eq!(e.hint.as_deref(), Some(hint), "{text}");
            assert!(!e.usage);
        }
        let e = load("[hub\n", &[]).expect_err("no TOML");
        assert!(e.message.starts_with("config.toml line 1: "), "{}", e.message);
        assert!(!e.message.contains('\n'), "{}", e.message);
    }

    #[test]
    fn a_user_without_root_has_files_of_their_own() {
        let vars = BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]);
        let p = Places::new(None, None, None, &vars, false);
        assert_eq!(p.config, Path::new("/home/u/.config/iwas-wg/config.toml"));
        assert_eq!(p.database, Path::new("/home/u/.local/state/iwas-wg/iwas-wg.db"));
    }
}
