/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages: through rpm's own log, and what matters to the system's log, too. */
#ifndef KMP_LOG_H
#define KMP_LOG_H

/* The most that is said in one line. */
#define LOG_LINE 2048

/* Where a message goes: rpm's own log, and the system's (facility daemon, tag kmp, as the command does). */
enum { LOG_TO_RPM = 1, LOG_TO_SYSTEM = 2 };

/* One line at this level (rpmlogLvl). */
void log_to(int where, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define log_line(level, ...) log_to(LOG_TO_RPM, (level), __VA_ARGS__)
#define log_system(level, ...) log_to(LOG_TO_SYSTEM, (level), __VA_ARGS__)
#define log_everywhere(level, ...) log_to(LOG_TO_RPM | LOG_TO_SYSTEM, (level), __VA_ARGS__)

/* Which root the transaction is for: of another than "/" the system's log is told nothing. */
void log_root(const char *root);

#endif
