//! The fleet as lines of a screen: order, filter, place, and what stands out.

use super::fleet::Fleet;
use crate::{
    model::{Location, Org, State, text::size, time::age},
    output::{Ink, Key, Line, json::state_of},
    settings::Settings,
};
use jiff::Timestamp;
use std::fmt::Write as _;

/// Lines that are no rows: counts, headings, and the keys at the foot.
const FRAME: usize = 3;

/// By what the rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Order {
    Name,
    /// Those first that need somebody.
    #[default]
    State,
    Org,
    Handshake,
    Received,
    Sent,
}

/// How the fleet is looked at.
#[derive(Debug, Default)]
pub(super) struct View {
    order: Order,
    turned: bool,
    filter: String,
    typing: bool,
    top: usize,
    /// Rows that the filter lets through, as of the last picture.
    rows: usize,
}

impl View {
    /// Whether keys are letters of the filter now.
    pub(super) fn is_typing(&self) -> bool {
        self.typing
    }

    /// Does what a key says.
    pub(super) fn take(&mut self, key: Key, height: usize) {
        let page = height.saturating_sub(FRAME).max(1);
        match key {
            Key::Up => self.top = self.top.saturating_sub(1),
            Key::Down => self.top += 1,
            Key::PageUp => self.top = self.top.saturating_sub(page),
            Key::PageDown => self.top += page,
            Key::Home => self.top = 0,
            Key::End => self.top = self.rows,
            Key::Escape => {
                self.typing = false;
                self.filter.clear();
            }
            Key::Enter => self.typing = false,
            Key::Backspace if self.typing => {
                self.filter.pop();
            }
            Key::Char(c) if self.typing => {
                self.filter.extend(c.to_lowercase());
                self.top = 0;
            }
            Key::Char('/') => {
                self.typing = true;
                self.filter.clear();
            }
            Key::Char(c) => {
                let order = match c {
                    'n' => Order::Name,
                    's' => Order::State,
                    'o' => Order::Org,
                    'h' => Order::Handshake,
                    'r' => Order::Received,
                    't' => Order::Sent,
                    _ => return,
                };
                self.turned = self.order == order && !self.turned;
                self.order = order;
                self.top = 0;
            }
            Key::Backspace | Key::Stop | Key::Resized => {}
        }
    }

    /// The picture for a screen of this size.
    pub(super) fn lines(
        &mut self,
        fleet: &Fleet,
        settings: &Settings,
        now: Timestamp,
        (width, height): (usize, usize),
    ) -> Vec<Line> {
        let mut rows: Vec<&Location> = fleet.locations.iter().filter(|l| self.shows(l)).collect();
        self.sort(&mut rows);
        self.rows = rows.len();
        let room = height.saturating_sub(FRAME);
        self.top = self.top.min(rows.len().saturating_sub(room));
        let columns = Columns::of(&rows, width);
        let mut lines = vec![head(fleet, settings, now), Line::of(columns.headings(self), Ink::Bold)];
        for l in rows.iter().skip(self.top).take(room) {
            let mut line = columns.row(l, now);
            line.stands_out = fleet.is_new(l.name.as_str());
            lines.push(line);
        }
        lines.resize(height.saturating_sub(1).max(2), Line::default());
        lines.push(self.foot(rows.len(), room));
        for line in &mut lines {
            cut(line, width);
        }
        lines
    }

    fn shows(&self, l: &Location) -> bool {
        let f = self.filter.as_str();
        f.is_empty()
            || l.name.as_str().contains(f)
            || l.org.as_ref().is_some_and(|o| o.as_str().to_lowercase().contains(f))
            || state_of(l).as_str().starts_with(f)
            || l.vpn_ip.is_some_and(|ip| ip.to_string().contains(f))
    }

    fn sort(&self, rows: &mut [&Location]) {
        let handshake = |l: &Location| l.reading.as_ref().and_then(|r| r.last_handshake);
        let bytes = |l: &Location| l.reading.as_ref().map_or((0, 0), |r| (r.rx_bytes, r.tx_bytes));
        // They come sorted by name, which is the order among equals.
        match self.order {
            Order::Name => {}
            Order::State => rows.sort_by_key(|l| urgency(state_of(l))),
            Order::Org => rows.sort_by_key(|l| l.org.as_ref().map(|o| o.as_str().to_owned())),
            Order::Handshake => rows.sort_by_key(|l| std::cmp::Reverse(handshake(l))),
            Order::Received => rows.sort_by_key(|l| std::cmp::Reverse(bytes(l).0)),
            Order::Sent => rows.sort_by_key(|l| std::cmp::Reverse(bytes(l).1)),
        }
        if self.turned {
            rows.reverse();
        }
    }

    fn foot(&self, rows: usize, room: usize) -> Line {
        let place = if rows > room {
            format!("  {}-{} of {rows}", self.top + 1, (self.top + room).min(rows))
        } else {
            String::new()
        };
        if self.typing {
            return Line::of(format!("/{}_{place}", self.filter), Ink::Bold);
        }
        let filter =
            if self.filter.is_empty() { String::new() } else { format!("  /{} (Esc: all)", self.filter) };
        Line::of(
            format!(
                "q quit  / filter  sort: n name s state o org h handshake r received t sent{filter}{place}"
            ),
            Ink::Dim,
        )
    }
}

fn urgency(state: State) -> u8 {
    match state {
        State::Offline => 0,
        State::Unknown => 1,
        State::Online => 2,
        State::Never => 3,
        State::Disabled => 4,
        State::Unprovisioned => 5,
    }
}

fn ink(state: State) -> Ink {
    match state {
        State::Online => Ink::Good,
        State::Offline => Ink::Bad,
        State::Never | State::Unknown => Ink::Doubtful,
        State::Disabled | State::Unprovisioned => Ink::Dim,
    }
}

/// What is up, the counts, and when it was read.
fn head(fleet: &Fleet, settings: &Settings, now: Timestamp) -> Line {
    let c = fleet.counts();
    let up = if fleet.is_up() { "up" } else { "not up" };
    let mut pieces = vec![(format!("{} {up}  ", settings.interface), Ink::Bold)];
    for state in State::ALL {
        let n = c.of(state);
        // Those that are always of interest, and what else there is.
        if n > 0 || matches!(state, State::Online | State::Offline) {
            pieces.push((format!("{n} {}  ", state.as_str()), if n > 0 { ink(state) } else { Ink::Plain }));
        }
    }
    let clock = |t: Timestamp| t.strftime("%H:%M:%S").to_string();
    let read = match fleet.seen_at() {
        Some(at) if fleet.source() == "live" => format!("read {} UTC", clock(at)),
        Some(at) => format!("as of {} ago", age(at, now)),
        None => "no heartbeat yet".to_owned(),
    };
    pieces.push((read, Ink::Plain));
    Line { pieces, stands_out: false }
}

/// Which columns there is room for, and how wide they are.
struct Columns {
    name: usize,
    org: usize,
    wide: bool,
    endpoint: bool,
}

impl Columns {
    fn of(rows: &[&Location], width: usize) -> Self {
        let longest = |f: &dyn Fn(&Location) -> usize, least: usize| {
            rows.iter().map(|l| f(l)).max().unwrap_or(0).clamp(least, 32)
        };
        let name = longest(&|l| l.name.as_str().chars().count(), 8);
        let org = longest(&|l| l.org.as_ref().map_or(0, |o| o.as_str().chars().count()), 3);
        // Name, state and handshake always; address, bytes and organization, then the endpoint.
        let wide = name + org + 74 <= width;
        Self { name, org, wide, endpoint: wide && name + org + 98 <= width }
    }

    fn headings(&self, view: &View) -> String {
        let mark = |order| match view.order == order {
            true if view.turned => "^",
            true => "v",
            false => "",
        };
        let title = |text: &str, order| format!("{text}{}", mark(order));
        let mut line = format!(
            "{:<name$}  {:<13}  {:<16}",
            title("NAME", Order::Name),
            title("STATE", Order::State),
            title("HANDSHAKE", Order::Handshake),
            name = self.name
        );
        if self.wide {
            let _ = write!(
                line,
                "  {:<15}  {:>10}  {:>10}  {:<org$}",
                "ADDRESS",
                title("RECEIVED", Order::Received),
                title("SENT", Order::Sent),
                title("ORG", Order::Org),
                org = self.org
            );
        }
        if self.endpoint {
            line += "  ENDPOINT";
        }
        line
    }

    fn row(&self, l: &Location, now: Timestamp) -> Line {
        let reading = l.reading.as_ref();
        let state = state_of(l);
        let handshake = reading.and_then(|r| r.last_handshake);
        let handshake = handshake.map_or_else(|| "-".to_owned(), |t| format!("{} ago", age(t, now)));
        let mut pieces = vec![
            (format!("{:<name$}  ", fit(l.name.as_str(), self.name), name = self.name), Ink::Plain),
            (format!("{:<13}  ", state.as_str()), ink(state)),
            (format!("{handshake:<16}"), Ink::Plain),
        ];
        if self.wide {
            let address = l.vpn_ip.map(|a| a.to_string()).unwrap_or_default();
            let (rx, tx) = reading.map_or_else(Default::default, |r| (size(r.rx_bytes), size(r.tx_bytes)));
            let org = fit(l.org.as_ref().map(Org::as_str).unwrap_or_default(), self.org);
            let text = format!("  {address:<15}  {rx:>10}  {tx:>10}  {org:<width$}", width = self.org);
            pieces.push((text, Ink::Plain));
        }
        if self.endpoint {
            let endpoint = reading.and_then(|r| r.endpoint.clone()).unwrap_or_default();
            pieces.push((format!("  {endpoint}"), Ink::Plain));
        }
        Line { pieces, stands_out: false }
    }
}

/// A text in at most so many characters.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Takes away what the screen has no room for.
fn cut(line: &mut Line, width: usize) {
    let mut left = width;
    for (text, _) in &mut line.pieces {
        let long = text.chars().count();
        if long > left {
            *text = text.chars().take(left).collect();
        }
        left = left.saturating_sub(long);
    }
}
