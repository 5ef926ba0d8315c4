// SPDX-License-Identifier: LGPL-2.1-or-later
// Measures the pages in the frames of `cargo xtask browser`. The pages themselves have no script.
'use strict';

// The numbers of a computed colour, and how opaque it is.
function colour(text) {
    const numbers = text.match(/[\d.]+/g).map(Number);
    return numbers.length < 4 ? [...numbers.slice(0, 3), 1] : numbers;
}

// Relative luminance and contrast, as WCAG 2 defines them.
function luminance(rgb) {
    const linear = rgb.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function contrast(a, b) {
    const [x, y] = [luminance(a), luminance(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

function background(view, element) {
    for (let at = element; at; at = at.parentElement) {
        const found = colour(view.getComputedStyle(at).backgroundColor);
        if (found[3] > 0) return found;
    }
    return [255, 255, 255, 1];
}

function measure(frame) {
    const [page, view] = [frame.contentDocument, frame.contentWindow];
    const folded = [...page.querySelectorAll('details')];
    const box = (selector) => page.querySelector(selector)?.getBoundingClientRect();
    const first = { verdict: box('.verdict strong')?.bottom ?? -1, row: box('tbody tr')?.top ?? -1 };
    folded.forEach((one) => { one.open = true; });
    let [least, pale, wide] = [99, '', ''];
    for (const element of page.body.querySelectorAll('*')) {
        const style = view.getComputedStyle(element);
        if (element.getBoundingClientRect().right > view.innerWidth + 0.5) wide ||= element.outerHTML.slice(0, 200);
        if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
        if (element.getBoundingClientRect().height === 0) continue;
        const found = contrast(colour(style.color), background(view, element));
        if (found < least) [least, pale] = [found, element.outerHTML.slice(0, 200)];
    }
    const found = {
        page: frame.dataset.page,
        width: view.innerWidth,
        dark: view.matchMedia('(prefers-color-scheme: dark)').matches,
        scroll: page.documentElement.scrollWidth,
        wide, least, pale, ...first,
        active: page.querySelectorAll('script, img, iframe, object, embed, link, form, a').length,
        text: page.body.innerText,
    };
    folded.forEach((one) => { one.open = false; });
    return found;
}

window.onload = () => {
    document.body.dataset.found = JSON.stringify([...document.querySelectorAll('iframe')].map(measure));
};
