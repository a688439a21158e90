//! The same site for a spoke with wg-quick(8) or a WireGuard app.

use super::{Site, values};
use crate::model::router::Reach;
use ipnet::IpNet;
use std::{fmt::Write as _, net::IpAddr};
use zeroize::Zeroizing;

/// Renders a wg-quick(8) configuration, ASCII, LF.
///
/// wg-quick makes a route of every allowed address, which RouterOS does not: an allowed
/// `0.0.0.0/0` is written as the VPN network, so that it never takes a machine's default route.
pub fn render_wg_quick(site: &Site<'_>) -> Zeroizing<String> {
    let options = &*site.options;
    let mut out = Zeroizing::new(String::with_capacity(8192));
    // Writing to a String cannot fail.
    let _ = head(site, &mut out);
    let _ = writeln!(out, "\n[Interface]");
    if let Some(key) = site.private_key {
        out.push_str("PrivateKey = ");
        out.push_str(&key.expose());
        out.push('\n');
    } else {
        out.push_str(
            "# The hub has no private key to give: put in here the one that was made on this machine.\n",
        );
        out.push_str("# PrivateKey =\n");
    }
    let _ = writeln!(out, "Address = {}", values::address(site));
    if options.listen_port != 0 {
        let _ = writeln!(out, "ListenPort = {}", options.listen_port);
    }
    let _ = writeln!(out, "MTU = {}", options.mtu);
    let _ = writeln!(out, "\n[Peer]\nPublicKey = {}", site.hub_public_key);
    if let Some(key) = site.preshared_key {
        out.push_str("PresharedKey = ");
        out.push_str(key);
        out.push('\n');
    }
    let allowed: Vec<String> = allowed(site).iter().map(ToString::to_string).collect();
    let _ = writeln!(out, "AllowedIPs = {}", allowed.join(", "));
    let host = values::endpoint_host(site);
    let port = site.endpoint_port;
    let _ = if host.parse::<IpAddr>().is_ok_and(|a| a.is_ipv6()) {
        writeln!(out, "Endpoint = [{host}]:{port}")
    } else {
        writeln!(out, "Endpoint = {host}:{port}")
    };
    if options.keepalive != 0 {
        let _ = writeln!(out, "PersistentKeepalive = {}", options.keepalive);
    }
    out
}

fn head(site: &Site<'_>, out: &mut String) -> std::fmt::Result {
    let location = site.location;
    writeln!(
        out,
        "# iwas-wg {}: location {}, revision {}",
        super::quote::Quoted::new(site.version).as_str(),
        location.name,
        location.updated_at
    )?;
    for (label, text) in values::about(site) {
        for piece in text.pieces(180) {
            writeln!(out, "# {label} {piece}")?;
        }
    }
    if site.private_key.is_some() {
        writeln!(out, "# CONTAINS A PRIVATE KEY: keep it readable by its owner only.")?;
    }
    Ok(())
}

fn allowed(site: &Site<'_>) -> Vec<IpNet> {
    let network = IpNet::V4(site.network.trunc());
    let mut nets: Vec<IpNet> = Vec::new();
    if site.options.reach == Reach::Any {
        nets.push(network);
    }
    let routes = site.options.routes.iter().map(IpNet::trunc);
    for net in values::allowed(site).into_iter().filter(|n| n.prefix_len() != 0).chain(routes) {
        if !nets.iter().any(|n| n.contains(&net)) {
            nets.push(net);
        }
    }
    nets
}
