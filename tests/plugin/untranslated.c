// SPDX-License-Identifier: LGPL-2.1-or-later
/* In rpm before glibc's, where the plugin is tested with sanitizers: see crates/xtask/src/plugin.rs. */
char *textdomain(const char *domain);
char *bindtextdomain(const char *domain, const char *directory);

char *textdomain(const char *domain)
{
    return (char *)domain;
}

char *bindtextdomain(const char *domain, const char *directory)
{
    (void)domain;
    return (char *)directory;
}
