/* Messages: through rpm's own log, and what matters to the system's log, too. */
#ifndef KMP_LOG_H
#define KMP_LOG_H

/* The most that is said in one line. */
#define LOG_LINE 2048

/* One line in rpm's log at this level (rpmlogLvl). */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, and to the system's log. */
void log_everywhere(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
