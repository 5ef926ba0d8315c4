// SPDX-License-Identifier: LGPL-2.1-or-later
//! An entry as a line of the log, of a bounded length. Pure.

use super::entry::Entry;

/// Of the form of entries. It changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// The longest text that is kept, in bytes.
const TEXT: usize = 1000;

impl Entry {
    /// Leaves out of each list what is too much for a line of `limit` bytes. Returns the line, without its end.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn line(&mut self, limit: usize) -> std::io::Result<String> {
        self.version = VERSION;
        for most in [4096, 256, 32, 4, 1] {
            self.left_out += cut(&mut self.packages, most);
            self.left_out += cut(&mut self.updates, most);
            self.left_out += cut(&mut self.kernels, most);
            for kernel in &mut self.kernels {
                self.left_out += cut(&mut kernel.changes, most);
                self.left_out += cut(&mut kernel.not_linked, most);
                self.left_out += cut(&mut kernel.errors, most);
            }
            for list in [&mut self.lost, &mut self.errors] {
                self.left_out += cut(list, most);
            }
            let line = serde_json::to_string(self)?;
            if line.len() < limit {
                return Ok(line);
            }
        }
        Err(std::io::ErrorKind::FileTooLarge.into())
    }
}

/// Leaves at most so many in a list. Returns how many are left out.
fn cut<T>(list: &mut Vec<T>, most: usize) -> usize {
    let left_out = list.len().saturating_sub(most);
    list.truncate(most);
    left_out
}

/// A text of a bounded length.
pub(super) fn short(text: &str) -> String {
    if text.len() <= TEXT {
        return text.into();
    }
    let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{} ...", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;

    #[test]
    fn an_entry_of_any_size_is_a_line_of_bounded_size() {
        for (kernels, changes) in [(1, 1), (3, 500), (500, 3), (50, 50)] {
            let mut large = entry(kernels, changes);
            let line = large.line(1 << 16).unwrap();
            assert!(line.len() < 1 << 16 && !line.contains('\n'));
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), large);
            assert_eq!(large.left_out > 0, changes > 1, "{kernels} {changes}");
        }
        assert_eq!(short(&"ä".repeat(4000)).len(), TEXT + 4);
    }
}
