// SPDX-License-Identifier: LGPL-2.1-or-later
//! The names in what a server shows of a directory: an index file, ftp's list, or a page of http. Pure, and with no trust in it.

use crate::nvra::Nvra;

/// The most names of a directory.
pub const MOST: usize = 1000;

/// The largest list, in bytes.
pub const LIMIT: u64 = 1 << 20;

/// The packages of a list: a name a line, or the links of a page. What leads anywhere else is none.
pub fn packages(listing: &[u8]) -> Vec<Nvra> {
    let text = String::from_utf8_lossy(listing);
    let is_page = text.trim_start().starts_with('<');
    let mut found: Vec<Nvra> = Vec::new();
    let mut add = |name: &str| {
        if let Some(nvra) = Nvra::of_file(&decoded(name))
            && found.len() < MOST
            && !found.contains(&nvra)
        {
            found.push(nvra);
        }
    };
    if is_page {
        links(&text).for_each(|link| add(link.strip_prefix("./").unwrap_or(link)));
    } else {
        // Some servers of ftp write the directory before each.
        text.lines().for_each(|line| add(line.trim().rsplit('/').next().unwrap_or_default()));
    }
    found
}

/// What links of a page lead to, as it is written.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let lower = page.to_ascii_lowercase();
    let starts: Vec<usize> =
        lower.match_indices("href").take(10 * MOST).map(|(at, word)| at + word.len()).collect();
    starts.into_iter().filter_map(move |at| {
        let rest = page.get(at..)?.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next()?;
        match quote {
            '"' | '\'' => rest.get(1..)?.split(quote).next(),
            _ => rest.split([' ', '>', '\n', '\t']).next(),
        }
    })
}

/// `%2B` and the like, which belong in names of packages.
fn decoded(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(u8::is_ascii_graphic) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[2..];
            }
            None => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A way in for the fuzz target.
#[doc(hidden)]
pub fn any(bytes: &[u8]) {
    let found = packages(bytes);
    assert!(found.len() <= MOST);
    assert!(found.iter().all(|nvra| !nvra.file.contains('/') && !nvra.file.starts_with('.')));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listing: &str) -> Vec<String> {
        packages(listing.as_bytes()).into_iter().map(|nvra| nvra.file).collect()
    }

    #[test]
    fn names_of_lists_and_pages() {
        assert_eq!(
            names("a-1-1.noarch.rpm\r\n/pub/b-1%2B1-1.x86_64.rpm\nREADME\n"),
            ["a-1-1.noarch.rpm", "b-1+1-1.x86_64.rpm"]
        );
        let page = "<html><a HREF=\"a-1-1.noarch.rpm\">x</a> <a href='./c-2-1.noarch.rpm'> <a href=d-1-1.noarch.rpm>";
        assert_eq!(names(page), ["a-1-1.noarch.rpm", "c-2-1.noarch.rpm", "d-1-1.noarch.rpm"]);
    }

    #[test]
    fn hostile_names_are_none() {
        let page = "<a href=\"../a-1-1.noarch.rpm\"><a href=\"/a-1-1.noarch.rpm\"><a href=\"http://x/a-1-1.noarch.rpm\">\
                    <a href=\"%2e%2e%2fa-1-1.noarch.rpm\"><a href=\"a-1-1.noarch.rpm?x\"><a href=\"`id`-1-1.noarch.rpm\">\
                    <a href=\"a\x1b-1-1.noarch.rpm\"><a href=\"file:a-1-1.noarch.rpm\"><a href><a href=";
        assert_eq!(names(page), [""; 0]);
        assert_eq!(names(&"a-1-1.noarch.rpm\n".repeat(5000)), ["a-1-1.noarch.rpm"]);
        let many: String = (0..5000).map(|n| format!("a-{n}-1.noarch.rpm\n")).collect();
        assert_eq!(names(&many).len(), MOST);
    }
}
