/* Messages: through rpm's own log, and what matters to the system's log, too. */
#ifndef KMP_LOG_H
#define KMP_LOG_H

/* The most that is said in one line. */
#define LOG_LINE 2048

/* One line in rpm's log at this level (rpmlogLvl). */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, and to the system's log: facility daemon, tag kmp, as the command does. */
void log_everywhere(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Only to the system's log. */
void log_system(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Which root the transaction is for: of another than "/" the system's log is told nothing. */
void log_root(const char *root);

#endif
