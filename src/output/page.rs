//! One page for a browser: the fleet's timeline and a table. It needs nothing beside it, no
//! network and no script, follows the reader's light or dark, and prints.

use super::past::{ChangeReport, FleetReport, SiteReport, bounds};
use crate::model::{
    history::{Cell, Window},
    text::size,
    time::span,
};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
/// Height of the fleet's timeline in its own units.
const HEIGHT: usize = 64;

/// The whole page.
pub fn page(
    window: Window,
    fleet: &FleetReport,
    sites: &[SiteReport],
    changes: Option<&[ChangeReport]>,
) -> String {
    let (since, until) = bounds(window);
    let (since, until) = (minute(&since), minute(&until));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Availability {since} to {until}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Availability of {} sites</h1>\n<p class=\"when\">{since} to {until} UTC</p>\n",
        fleet.sites
    );
    let facts = [
        ("Available", percent(fleet.availability_percent)),
        ("Outages", fleet.outages.to_string()),
        ("Offline, all sites", span(fleet.offline_seconds)),
        ("Received", size(fleet.rx_bytes)),
        ("Sent", size(fleet.tx_bytes)),
    ];
    page += "<dl>";
    for (title, value) in facts {
        let _ = write!(page, "<div><dt>{title}</dt><dd>{value}</dd></div>");
    }
    page += "</dl>\n<h2>The fleet</h2>\n";
    let _ = writeln!(
        page,
        "{}\n<div class=\"scale\"><span>{since}</span><span>{until}</span></div>",
        fleet_timeline(sites)
    );
    page += "<ul class=\"key\">";
    for (class, what) in
        [("u", "online"), ("p", "part of the time offline"), ("d", "offline"), ("b", "nothing known")]
    {
        let _ = write!(
            page,
            "<li><svg viewBox=\"0 0 1 1\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"1\" height=\"1\"/></svg>{what}</li>"
        );
    }
    page += "</ul>\n<h2>Each site</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Site</th><th>Organization</th>\
             <th>State</th><th class=\"n\">Available</th><th class=\"n\">Outages</th><th class=\"n\">Offline</th>\
             <th class=\"n\">Longest</th><th>Last outage</th><th class=\"n\">Received</th><th class=\"n\">Sent</th>\
             <th>Timeline</th></tr></thead>\n<tbody>\n";
    for site in sites {
        row(&mut page, site);
    }
    page += "</tbody></table></div>\n";
    if let Some(changes) = changes {
        changes_below(&mut page, changes);
    }
    page += "<footer>Availability is online time of the time in which the state was known. \
             Times are UTC; bytes are counted in whole days. Written by iwas-wg.</footer>\n</body>\n</html>\n";
    page
}

/// Each change of state, newest first.
fn changes_below(page: &mut String, changes: &[ChangeReport]) {
    page.push_str("<h2>Changes</h2>\n");
    if changes.is_empty() {
        page.push_str("<p>No change in this time.</p>\n");
        return;
    }
    page.push_str("<div class=\"wide\"><table>\n<thead><tr><th>When</th><th>Site</th><th>State</th>");
    page.push_str("<th class=\"n\">For</th></tr></thead>\n<tbody>\n");
    for c in changes.iter().rev() {
        let lasted = c.lasted_seconds.map_or_else(|| "still".to_owned(), span);
        let _ = writeln!(
            page,
            "<tr><td>{}</td><th scope=\"row\">{}</th><td class=\"{state}\">{state}</td><td class=\"n\">{lasted}</td></tr>",
            minute(&c.at),
            escape(&c.name),
            state = c.to
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn row(page: &mut String, s: &SiteReport) {
    let longest = s.longest_outage_seconds.map_or_else(|| "–".to_owned(), span);
    let last = match &s.last_outage_at {
        Some(_) if s.is_out => "now".to_owned(),
        Some(at) => minute(at),
        None => "–".to_owned(),
    };
    let _ = writeln!(
        page,
        "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{state}\">{state}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{longest}</td><td>{last}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"t\">{}</td></tr>",
        escape(&s.name),
        escape(s.org.as_deref().unwrap_or_default()),
        percent(s.availability_percent),
        s.outages,
        span(s.offline_seconds),
        size(s.rx_bytes),
        size(s.tx_bytes),
        site_timeline(&s.cells),
        state = s.state,
    );
}

/// The share of sites that were online, over time, from the bottom up; the rest in red above it.
fn fleet_timeline(sites: &[SiteReport]) -> String {
    let n = sites.first().map_or(0, |s| s.cells.len());
    let mut sums = vec![Cell::default(); n];
    for site in sites {
        for (sum, cell) in sums.iter_mut().zip(&site.cells) {
            sum.add(*cell);
        }
    }
    let mut svg = format!(
        "<svg class=\"fleet\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" \
         role=\"img\" aria-label=\"Share of sites online over time\">",
        n.max(1)
    );
    for (x, cell) in sums.iter().enumerate() {
        let known = cell.online + cell.offline;
        if known == 0 {
            let _ = write!(svg, "<rect class=\"b\" x=\"{x}\" width=\"1\" height=\"{HEIGHT}\"/>");
            continue;
        }
        let height = i64::try_from(HEIGHT).unwrap_or(64);
        // Whatever was offline shows, however small its share.
        let down = (cell.offline * height / known).max(i64::from(cell.offline > 0));
        let up = height - down;
        if down > 0 {
            let _ = write!(svg, "<rect class=\"d\" x=\"{x}\" width=\"1\" height=\"{down}\"/>");
        }
        if up > 0 {
            let _ = write!(svg, "<rect class=\"u\" x=\"{x}\" y=\"{down}\" width=\"1\" height=\"{up}\"/>");
        }
    }
    svg + "</svg>"
}

/// One strip; neighbours of the same colour are one rectangle.
fn site_timeline(cells: &[Cell]) -> String {
    let mut svg = format!(
        "<svg class=\"site\" viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" aria-hidden=\"true\">",
        cells.len().max(1)
    );
    let class = |c: &Cell| match c.eighths() {
        None => "b",
        Some(8) => "u",
        Some(0) => "d",
        Some(_) => "p",
    };
    let mut x = 0;
    for run in cells.chunk_by(|a, b| class(a) == class(b)) {
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{x}\" width=\"{}\" height=\"1\"/>",
            class(&run[0]),
            run.len()
        );
        x += run.len();
    }
    svg + "</svg>"
}

fn percent(p: Option<f64>) -> String {
    p.map_or_else(|| "–".to_owned(), |p| format!("{p:.3} %"))
}

/// `2026-11-23T10:00:00Z` without its seconds.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_and_a_short_outage_is_seen() {
        let site = SiteReport {
            name: "cafe".into(),
            org: Some("<b>Tom & \"Co\"</b>".into()),
            state: "online",
            availability_percent: Some(99.9),
            online_seconds: 999,
            offline_seconds: 1,
            unknown_seconds: 0,
            outages: 1,
            longest_outage_seconds: Some(1),
            last_outage_at: Some("2026-11-23T10:00:00Z".into()),
            is_out: false,
            rx_bytes: 1,
            tx_bytes: 2,
            cells: vec![Cell { online: 9, offline: 0 }, Cell { online: 999, offline: 1 }],
        };
        let fleet = FleetReport {
            sites: 1,
            availability_percent: Some(99.9),
            offline_seconds: 1,
            outages: 1,
            rx_bytes: 1,
            tx_bytes: 2,
        };
        let text = page(Window { from: 0, until: 1000 }, &fleet, &[site], None);
        assert!(!text.contains("Changes"));
        assert!(text.contains("&lt;b&gt;Tom &amp; &quot;Co&quot;&lt;/b&gt;") && !text.contains("<b>"));
        assert!(text.contains("<rect class=\"p\" x=\"1\""), "{text}");
        assert!(text.contains("<rect class=\"d\" x=\"1\" width=\"1\" height=\"1\"/>"), "{text}");
        for outside in ["http:", "https:", "<script", "url(", "@import", "<link"] {
            assert!(!text.contains(outside), "{outside}");
        }
    }
}
