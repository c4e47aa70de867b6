#include "app/cli/progress.h"

#include "base/fd.h"
#include "base/loop.h"
#include "base/pace.h"
#include "base/str.h"

#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PROGRESS_EACH_MS = 100, PROGRESS_COLS = 80 };

static bool progress_records, progress_shown;

void progress_as_records(void)
{
    progress_records = true;
    signal(SIGPIPE, SIG_IGN); /* whoever listens may leave: what is done goes on */
}

bool progress_is_records(void)
{
    return progress_records;
}

bool progress_is_wanted(void)
{
    return progress_records || isatty(STDERR_FILENO);
}

static void progress_record(const char *what, uint64_t done, uint64_t total)
{
    autofree char *record = pace_record(what, done, total);
    fd_write_full(STDERR_FILENO, record, strlen(record));
}

static void progress_line(const struct pace *p, const char *what)
{
    struct winsize w;
    int cols = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : PROGRESS_COLS;
    autofree char *safe = str_escape_z(what);
    int length = (int)strlen(safe), rest = cols - 1 - length - 2;
    autofree char *text = pace_text(p, rest, "#");
    fprintf(stderr, "\r\033[K%.*s  %.*s", MAX(cols - 3, 0), safe, MAX(rest, 0), text);
    progress_shown = true;
}

void progress_tell(const char *what, uint64_t done, uint64_t total)
{
    static struct pace pace;
    static uint64_t told;
    uint64_t now = loop_now_ms();
    bool last = total && done == total, first = !pace.begun || total != pace.total;
    pace_note(&pace, now, done, total);
    if (!progress_is_wanted() || (!first && !last && now - told < PROGRESS_EACH_MS))
        return;
    told = now;
    if (progress_records)
        progress_record(what, done, total);
    else
        progress_line(&pace, what);
}

void progress_over(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}
