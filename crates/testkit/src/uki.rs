// SPDX-License-Identifier: LGPL-2.1-or-later
//! Makes unified kernel images: EFI programs (PE32+) of which only the headers and sections are real.

/// An EFI program with these sections.
pub fn unified_image(sections: &[(&str, &[u8])]) -> Vec<u8> {
    const OPTIONAL: u16 = 240;
    let mut image = b"MZ".to_vec();
    image.resize(60, 0);
    image.extend(64_u32.to_le_bytes());
    image.extend(b"PE\0\0");
    image.extend(0x8664_u16.to_le_bytes());
    image.extend(u16::try_from(sections.len()).expect("a handful of sections").to_le_bytes());
    image.extend([0; 12]);
    image.extend(OPTIONAL.to_le_bytes());
    image.extend(0x22_u16.to_le_bytes());
    let optional = image.len();
    image.extend(0x20b_u16.to_le_bytes());
    image.resize(optional + 108, 0);
    image.extend(16_u32.to_le_bytes());
    image.resize(optional + usize::from(OPTIONAL), 0);
    let mut at = (image.len() + 40 * sections.len()).next_multiple_of(512);
    let mut contents = Vec::new();
    for (number, (name, bytes)) in (1_u32..).zip(sections) {
        let start = u32::try_from(at).expect("a small image");
        let padded = bytes.len().next_multiple_of(512);
        let number_of = |n: usize| u32::try_from(n).expect("a small image").to_le_bytes();
        let mut header = name.as_bytes().to_vec();
        header.resize(8, 0);
        header.extend(number_of(bytes.len()));
        header.extend((number << 24).to_le_bytes());
        header.extend(number_of(padded));
        header.extend(start.to_le_bytes());
        header.resize(40, 0);
        image.extend(header);
        contents.extend_from_slice(bytes);
        contents.resize(contents.len().next_multiple_of(512), 0);
        at += padded;
    }
    image.resize(image.len().next_multiple_of(512), 0);
    image.extend(contents);
    image
}
