//! The page of `report --html` in a real browser.

use crate::bench::{missing, run, skip};
use std::{fs, path::Path, process::Command};

/// A browser without a network, with a profile of its own.
fn chromium(profile: &Path, words: &[&str], page: &Path) -> String {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.args(["--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--window-size=1280,900"]);
    command.arg(format!("--user-data-dir={}", profile.display())).args(words);
    run(command.arg(format!("file://{}", page.display())))
}

fn iwas_wg(root: &Path, words: &str) -> String {
    run(Command::new(env!("CARGO_BIN_EXE_iwas-wg")).arg("--root").arg(root).args(words.split(' ')))
}

#[test]
fn a_browser_shows_the_page_in_light_and_dark_and_prints_it() {
    if let Some(reason) = missing(&["chromium"]) {
        return skip(&reason);
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path();
    iwas_wg(root, "init --endpoint vpn.example.com --backend none");
    for name in ["cafe", "pub", "tower"] {
        iwas_wg(root, &format!("location add {name} --org acme"));
    }
    let page = root.join("page.html");
    iwas_wg(root, &format!("report --html {}", page.display()));

    let dom = chromium(&root.join("p1"), &["--dump-dom"], &page);
    for part in [
        "<title>Availability ",
        "Availability of 3 sites",
        ">tower</th>",
        "aria-label=\"Share of sites online",
    ] {
        assert!(dom.contains(part), "{part} is not in\n{dom}");
    }
    // Nothing is wider than the window, so nothing is cut off.
    let measure = "<script>document.title = document.querySelector('.wide').scrollWidth - document.querySelector('.wide').clientWidth</script>";
    let measured = root.join("measured.html");
    // The page's own policy runs no script: neither ours, unless the policy is taken out.
    let text = fs::read_to_string(&page).expect("page").replace("</body>", &format!("{measure}</body>"));
    fs::write(&measured, &text).expect("write");
    let dom = chromium(&root.join("p4"), &["--dump-dom"], &measured);
    assert!(dom.contains("<title>Availability "), "a script ran in the page\n{dom}");
    let open = text.replace("http-equiv=\"Content-Security-Policy\"", "name=\"policy\"");
    fs::write(&measured, open).expect("write");
    let dom = chromium(&root.join("p2"), &["--dump-dom"], &measured);
    assert!(dom.contains("<title>0</title>"), "the table is wider than the window\n{dom}");

    let picture = |scheme: &str, name: &str| {
        let file = root.join(name);
        let shot = format!("--screenshot={}", file.display());
        chromium(
            &root.join(scheme),
            &[&shot, &format!("--blink-settings=preferredColorScheme={scheme}")],
            &page,
        );
        fs::read(file).expect("a picture")
    };
    let (dark, light) = (picture("0", "dark.png"), picture("1", "light.png"));
    for png in [&dark, &light] {
        assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{} bytes", png.len());
    }
    assert_ne!(dark, light, "dark is as light");
    let paper = root.join("page.pdf");
    chromium(&root.join("p3"), &[&format!("--print-to-pdf={}", paper.display())], &page);
    assert!(fs::read(paper).expect("paper").starts_with(b"%PDF"));
}
