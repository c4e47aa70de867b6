/* What our processes say of themselves, on stderr or into a workload's log; never a stranger's raw bytes. */
#ifndef COFFERDAM_BASE_LOG_H
#define COFFERDAM_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The name in front of each line ("cofferdam", "monitor"), the descriptor, the most it says. */
void log_open(const char *who, int fd, enum log_level most);
void log_say(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_say(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_say(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_say(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_say(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
