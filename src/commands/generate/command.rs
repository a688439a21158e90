//! A page of section 8 from the definition of a command. A new command needs no more for its page
//! than its definition, with `Examples:` at the end of its long help.

use super::{limits::LIMITS, page::Page};
use crate::{error::Kind, settings};
use clap::{Arg, Command};
use roff::{Inline, bold, italic, roman};

/// Variables besides those of the settings.
const VARIABLES: &[(&str, &str)] = &[
    ("IWAS_WG_ROOT", "The directory for --root."),
    ("IWAS_WG_CONFIG", "The settings file for --config."),
    ("IWAS_WG_DATABASE", "The store file for --database."),
    ("NO_COLOR", "No colours unless --color asks for them, if this is not empty."),
    ("COLUMNS", "Width of tables on a terminal."),
    (
        "WG_USERSPACE_IMPLEMENTATION",
        "The program that carries the interface where the kernel has no WireGuard; wireguard-go without it.",
    ),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME",
        "Where the files of a user other than root are, each below iwas-wg; ~/.config and ~/.local/state without them.",
    ),
];

/// Appends the pages of a command and of all below it. `path` is the way to it from the program.
pub(super) fn pages<'a>(command: &'a Command, path: &mut Vec<&'a Command>, all: &mut Vec<(String, String)>) {
    path.push(command);
    all.push((format!("{}.8", page_name(path)), page(path)));
    for sub in shown(command) {
        pages(sub, path, all);
    }
    path.pop();
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help")
}

fn page_name(path: &[&Command]) -> String {
    path.iter().map(|c| c.get_name()).collect::<Vec<_>>().join("-")
}

fn page(path: &[&Command]) -> String {
    let [.., command] = path else { unreachable!("a path ends in its command") };
    let (is_program, name) = (path.len() == 1, page_name(path));
    let about = about(command);
    let mut page = Page::new(&name, "8", &about);

    page.section("SYNOPSIS");
    page.line(synopsis(path));

    page.section("DESCRIPTION");
    let long = command.get_long_about().map_or_else(|| about.clone(), ToString::to_string);
    // The first paragraph is what NAME says.
    match long.split_once("\n\n") {
        Some((_, rest)) => page.paragraph(rest),
        None => page.paragraph(&sentence(&about)),
    }
    if shown(command).next().is_some() {
        page.section("COMMANDS");
        for sub in shown(command) {
            let term = vec![bold(format!("{name}-{}", sub.get_name())), roman("(8)")];
            page.term(term, &sentence(&self::about(sub)));
        }
    }

    page.section("OPTIONS");
    options(&mut page, command, is_program);

    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let (mut statuses, mut examples) = (None, None);
    for block in help.split("\n\n") {
        let Some((title, lines)) = block.split_once(":\n") else { continue };
        let lines: Vec<&str> = lines.lines().collect();
        match title {
            "Examples" => examples = Some(lines),
            // The program's own help has a short form of the table below.
            "Exit status" if is_program => {}
            "Exit status" => statuses = pairs(&lines, " "),
            _ => {
                page.section(&title.to_uppercase());
                list(&mut page, &lines);
            }
        }
    }

    if is_program {
        page.section("LIMITS");
        for (term, text) in LIMITS {
            page.term(vec![bold(*term)], text);
        }
    }

    page.section("EXIT STATUS");
    let mut all = statuses.unwrap_or_default();
    // A command that says what 0 means has a table of its own; others add to that of all.
    let is_whole = all.iter().any(|(code, _)| code == "0");
    for kind in Kind::ALL.iter().filter(|_| !is_whole) {
        let code = kind.exit().to_string();
        if all.iter().all(|(other, _)| *other != code) {
            all.push((code, kind.meaning().to_owned()));
        }
    }
    all.sort_by_key(|(code, _)| code.parse::<u8>().ok());
    for (code, meaning) in &all {
        page.term(vec![bold(code)], &sentence(meaning));
    }

    page.section("ENVIRONMENT");
    for (name, text) in VARIABLES {
        page.term(vec![bold(*name)], text);
    }
    page.next_paragraph("Most settings have a variable too: see iwas-wg.toml(5).");

    page.section("FILES");
    for file in settings::FILES {
        page.term(vec![italic(file.path)], &format!("{} Mode {}.", sentence(file.what), file.mode));
    }

    if let Some(lines) = examples {
        page.section("EXAMPLES");
        page.verbatim(lines.iter().map(|l| l.strip_prefix("  ").unwrap_or(l)));
    }
    page.see_also(&related(path));
    page.finish()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// The text with a full stop.
fn sentence(text: &str) -> String {
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{text}{end}")
}

/// Lines of term, gap and meaning, with what is indented further; `None` if they are others.
fn pairs(lines: &[&str], gap: &str) -> Option<Vec<(String, String)>> {
    let mut joined: Vec<String> = Vec::new();
    for line in lines {
        match joined.last_mut().filter(|_| line.starts_with("    ")) {
            Some(last) => last.extend([" ", line.trim()]),
            None => joined.push(line.trim().to_owned()),
        }
    }
    let pair = |l: &String| l.split_once(gap).map(|(term, text)| (term.to_owned(), text.trim().to_owned()));
    joined.iter().map(pair).collect()
}

/// Lines of `term  meaning` as terms; other lines as they are.
fn list(page: &mut Page, lines: &[&str]) {
    match pairs(lines, "  ") {
        Some(pairs) => {
            for (term, meaning) in pairs {
                page.term(vec![bold(term)], &sentence(&meaning));
            }
        }
        None => page.verbatim(lines.iter().map(|l| l.strip_prefix("  ").unwrap_or(l))),
    }
}

/// The pages above, below and beside this one, and those of the tools around.
fn related(path: &[&Command]) -> Vec<String> {
    let mut all = Vec::new();
    for depth in 1..path.len() {
        all.push(page_name(&path[..depth]));
    }
    let (below, above) = (path.last(), path.iter().rev().nth(1));
    let beside = above.filter(|_| path.len() > 2).into_iter().chain(below);
    for command in beside {
        let depth = path.iter().position(|c| std::ptr::eq(*c, *command)).unwrap_or(0);
        let parent = page_name(&path[..=depth]);
        all.extend(shown(command).map(|c| format!("{parent}-{}", c.get_name())));
    }
    all.retain(|name| *name != page_name(path));
    let mut all: Vec<String> = all.into_iter().map(|name| format!("{name}(8)")).collect();
    all.extend(["iwas-wg.toml(5)", "wg(8)", "wg-quick(8)"].map(str::to_owned));
    all
}

/// How the command is called, as `--help` says it.
fn synopsis(path: &[&Command]) -> Vec<Inline> {
    let [.., command] = path else { unreachable!("a path ends in its command") };
    let name = path.iter().map(|c| c.get_name()).collect::<Vec<_>>().join(" ");
    let usage = (*command).clone().bin_name(name.clone()).render_usage().to_string();
    let rest =
        usage.lines().next().and_then(|u| u.split_once(&*name)).map_or("", |(_, rest)| rest.trim_end());
    let mut line = vec![bold(name)];
    // What stands for something else is in <>, or is OPTIONS.
    for (i, part) in rest.replace("[OPTIONS]", "[<options>]").split(['<', '>']).enumerate() {
        match i % 2 {
            _ if part.is_empty() => {}
            0 => line.push(roman(part)),
            _ => line.push(italic(part)),
        }
    }
    line
}

/// The command's own options; those that all commands take only on the program's page.
fn options(page: &mut Page, command: &Command, is_program: bool) {
    let is_global = |a: &&Arg| a.is_global_set() || ["help", "version"].contains(&a.get_id().as_str());
    let all = command.get_arguments().filter(|a| !a.is_hide_set());
    let (global, own): (Vec<&Arg>, Vec<&Arg>) = all.partition(is_global);
    let (positional, flags): (Vec<&Arg>, Vec<&Arg>) = own.iter().partition(|a| a.is_positional());
    for argument in positional.into_iter().chain(flags) {
        option(page, argument);
    }
    if is_program {
        for argument in global {
            option(page, argument);
        }
        return;
    }
    let names: Vec<String> = global.iter().filter_map(|a| Some(format!("--{}", a.get_long()?))).collect();
    let text = format!("Every command also takes {}; iwas-wg(8) says what they mean.", names.join(", "));
    if own.is_empty() { page.paragraph(&text) } else { page.next_paragraph(&text) }
}

fn option(page: &mut Page, argument: &Arg) {
    let takes = argument.get_action().takes_values();
    let mut term = Vec::new();
    let short = argument.get_short().map(|s| format!("-{s}"));
    for flag in short.into_iter().chain(argument.get_long().map(|l| format!("--{l}"))) {
        if !term.is_empty() {
            term.push(roman(", "));
        }
        term.push(bold(flag));
    }
    for name in argument.get_value_names().unwrap_or_default().iter().filter(|_| takes) {
        if !term.is_empty() {
            term.push(roman(" "));
        }
        term.push(italic(name.as_str()));
    }
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string);
    let mut text = sentence(&help.unwrap_or_default());
    if takes {
        let explained = argument.get_possible_values().into_iter().filter(|v| !v.is_hide_set());
        let explained = explained.map(|v| match v.get_help() {
            Some(help) => format!("{} ({})", v.get_name(), lower_first(&help.to_string())),
            None => v.get_name().to_owned(),
        });
        let explained: Vec<String> = explained.collect();
        if !explained.is_empty() {
            text.extend([" One of ", &explained.join(", "), "."]);
        }
        let default: Vec<_> = argument.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        if !default.is_empty() {
            text.extend([" Default: ", &default.join(" "), "."]);
        }
    }
    page.term(term, &text);
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
