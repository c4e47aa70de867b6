#include "base/log.h"

#include "base/fd.h"
#include "base/str.h"

#include <unistd.h>

static struct {
    const char *who;
    int fd;
    enum log_level most;
} log_state = {.who = "cofferdam", .fd = STDERR_FILENO, .most = LOG_LEVEL_INFO};

void log_open(const char *who, int fd, enum log_level most)
{
    log_state.who = who;
    log_state.fd = fd;
    log_state.most = most;
}

static const char *log_word(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
    case LOG_LEVEL_INFO:
        return "";
    case LOG_LEVEL_WARN:
        return "warning: ";
    case LOG_LEVEL_DEBUG:
        return "debug: ";
    }
    return "";
}

void log_say(enum log_level level, const char *fmt, ...)
{
    if (level > log_state.most || log_state.fd < 0)
        return;
    int kept = errno;
    va_list ap;
    va_start(ap, fmt);
    autofree char *text = str_vformat(fmt, ap);
    va_end(ap);
    autofree char *safe = str_escape_z(text);
    autofree char *line = str_format("%s: %s%s\n", log_state.who, log_word(level), safe);
    fd_write_full(log_state.fd, line, strlen(line));
    errno = kept;
}
