// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask browser`: kmp's pages in a real browser, at the widths of a phone and of a desk, light and dark: what they show, that
//! nothing is wider than the screen, and that all text can be read. What was seen is kept in `target/screenshots`.

mod pages;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use testkit::packages::Use;

use crate::{install, privilege};

/// Widths in pixels, with the height of such a screen.
const SCREENS: [(u32, u32); 2] = [(390, 844), (1280, 800)];

/// WCAG 2, level AA, for text of any size.
const CONTRAST: f64 = 4.5;

/// A page, and what must be on it.
pub struct Page {
    pub name: &'static str,
    pub html: String,
    /// Each must be there, in this order, when all is unfolded.
    pub texts: Vec<String>,
}

/// What `measure.js` says of a page on a screen.
#[derive(Debug, Deserialize)]
struct Found {
    page: String,
    width: u32,
    dark: bool,
    /// How wide the page is.
    scroll: u32,
    /// The first element that is wider than the screen.
    wide: String,
    least: f64,
    /// The element with the least contrast.
    pale: String,
    /// Where the verdict ends, and where the first row of a table begins, before anybody scrolls; -1: nowhere.
    verdict: f64,
    row: f64,
    /// Elements that do or fetch something.
    active: u32,
    text: String,
}

/// A page with each fault, so that one who finds none in it is not looking.
const FAULTY: &str = "<!DOCTYPE html><html><body style=\"background:#fff\"><div class=\"verdict\"><strong>bad</strong></div>\
    <p style=\"width:3000px\">wide</p><p style=\"color:#bbb\">pale</p><script>1</script></body></html>";

/// # Errors
/// A page is not as it should be, or the browser does not run.
pub fn check() -> Result<(), String> {
    install::ensure(&[Use::Browser])?;
    if let Some(done) = privilege::again(&["test", "--alone", "browser"])? {
        return Ok(done);
    }
    let kept = install::target().join("screenshots");
    fs::create_dir_all(&kept).map_err(|e| format!("{}: {e}", kept.display()))?;
    let mut pages = pages::all()?;
    for page in &pages {
        let path = kept.join(format!("{}.html", page.name));
        fs::write(&path, &page.html).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    pages.push(Page { name: "faulty", html: FAULTY.into(), texts: Vec::new() });
    let all = look(&pages, &kept)?;
    if all.len() != pages.len() * SCREENS.len() * 2 {
        return Err(format!("of {} pages only {} frames were measured", pages.len(), all.len()));
    }
    let mut faults = Vec::new();
    for found in &all {
        let page = pages.iter().find(|page| page.name == found.page);
        let page = page.ok_or_else(|| format!("nobody made the page {}", found.page))?;
        let own = faults_of(found, page);
        match page.name {
            "faulty" if own.len() < 3 => return Err(format!("faults are not found: {own:?} of {found:?}")),
            "faulty" => {}
            _ => {
                println!("{}, {} px{}: contrast {:.1}", found.page, found.width, dark(found), found.least);
                faults.extend(own);
            }
        }
    }
    println!("{} pages in a browser; kept in {}", pages.len() - 1, kept.display());
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn dark(found: &Found) -> &'static str {
    if found.dark { ", dark" } else { "" }
}

fn faults_of(found: &Found, page: &Page) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| {
        faults.push(format!("{}, {} px{}: {what}", found.page, found.width, dark(found)));
    };
    if found.scroll > found.width || !found.wide.is_empty() {
        fault(format!("{} px wide: {}", found.scroll, found.wide));
    }
    if found.least < CONTRAST {
        fault(format!("the contrast is {:.2} in {}", found.least, found.pale));
    }
    if found.active > 0 {
        fault(format!("{} elements do or fetch something", found.active));
    }
    let height =
        SCREENS.iter().find(|(width, _)| *width == found.width).map_or(0.0, |(_, height)| f64::from(*height));
    for (at, what) in [(found.verdict, "the verdict"), (found.row, "the first row")] {
        if !(0.0..=height).contains(&at) {
            fault(format!("{what} is not on the first screen: {at} px"));
        }
    }
    let mut rest = found.text.as_str();
    for text in &page.texts {
        match rest.split_once(text.as_str()) {
            Some((_, after)) => rest = after,
            None => {
                let start: String = found.text.chars().take(1500).collect();
                faults.push(format!("{}: {text:?} is not there, or not in its place:\n{start}", page.name));
                break;
            }
        }
    }
    faults
}

/// All pages on all screens in one run of the browser: it takes seconds to start.
fn look(pages: &[Page], kept: &Path) -> Result<Vec<Found>, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut frames = String::new();
    for page in pages {
        let html = page.html.replace('&', "&amp;").replace('"', "&quot;");
        for scheme in ["light", "dark"] {
            for (width, height) in SCREENS {
                // The frame's scheme is what the page in it is asked for.
                let _ = write!(
                    frames,
                    "<iframe data-page=\"{}\" style=\"width:{width}px;height:{height}px;color-scheme:{scheme};border:0\" \
                     srcdoc=\"{html}\"></iframe>",
                    page.name
                );
            }
        }
        frames.push_str("<br>\n");
    }
    let script = include_str!("measure.js");
    let sheet = format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body style=\"margin:0;background:#888;white-space:nowrap\">\
         {frames}<script>{script}</script></body></html>"
    );
    let file = dir.path().join("sheet.html");
    fs::write(&file, sheet).map_err(|e| e.to_string())?;
    let width = 2 * SCREENS.iter().map(|(width, _)| width).sum::<u32>() + 50;
    let height = 860 * pages.len();
    // Its sandbox does not work for root; the pages are our own, and nothing is fetched.
    let mut command = Command::new("timeout");
    command
        .args([
            "--kill-after=10",
            "900",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .arg("--disable-dev-shm-usage")
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", kept.join("pages.png").display()))
        .arg("--dump-dom")
        .arg(&file)
        .env("HOME", dir.path())
        .env("XDG_RUNTIME_DIR", dir.path())
        .stdin(Stdio::null());
    let output = command.output().map_err(|e| install::cannot_run(&command, &e))?;
    let dom = String::from_utf8_lossy(&output.stdout);
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{command:?}: {}\n{}", output.status, said()));
    }
    let found = dom.split_once("data-found=\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0));
    let found = found.ok_or_else(|| format!("the browser has measured nothing\n{}", said()))?;
    // As attributes are written; the ampersand last.
    let entities = [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", "\u{a0}"), ("&amp;", "&")];
    let text = entities.iter().fold(found.to_string(), |text, (entity, is)| text.replace(entity, is));
    serde_json::from_str(&text).map_err(|e| format!("what the browser has measured: {e}: {text}"))
}
