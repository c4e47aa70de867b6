#include "app/cli/watch.h"

#include "base/loop.h"
#include "base/str.h"
#include "console/width.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios watch_usual; /* for who ends us in the midst of anything */
static bool watch_has_keys;

static void on_resize(int signo)
{
    /* it only ends a wait */
}

/* At once, whatever is being waited for: the terminal is given back by calls that may be made here.
 */
static void on_end(int signo)
{
    /* from the background it would stop us instead */
    if (watch_has_keys && tcgetpgrp(STDIN_FILENO) == getpgrp())
        tcsetattr(STDIN_FILENO, TCSANOW, &watch_usual);
    signal(signo, SIG_DFL);
    raise(signo);
}

static void end_by(int signo)
{
    struct sigaction act = {.sa_handler = on_end}, old;
    if (sigaction(signo, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(signo, &act, NULL);
}

void watch_begin(struct watch *w)
{
    *w = (struct watch){.terminal = isatty(STDOUT_FILENO)};
    if (!w->terminal)
        return;
    sigaction(SIGWINCH, &(struct sigaction){.sa_handler = on_resize}, NULL);
    watch_has_keys =
        tcgetpgrp(STDIN_FILENO) == getpgrp() && tcgetattr(STDIN_FILENO, &watch_usual) == 0;
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        end_by(ends[i]);
    w->keys = watch_has_keys;
    if (w->keys) {
        struct termios t = watch_usual;
        t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        t.c_cc[VMIN] = 0;
        t.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
    }
}

void watch_end(struct watch *w)
{
    if (w->keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &watch_usual);
    fflush(stdout);
    free(w->text);
}

void watch_draw(struct watch *w)
{
    w->to = stdout;
    if (w->terminal)
        stdout = open_memstream(&w->text, &w->size);
}

/* So much of a line as fits; sequences that only colour take no room. */
static size_t line_fits(const char *line, size_t size, int cols)
{
    size_t i = 0;
    for (int used = 0; i < size;) {
        if (line[i] == '\033') {
            while (i < size && line[i++] != 'm')
                ;
            continue;
        }
        uint32_t c;
        size_t length = str_utf8_decode(line + i, size - i, &c);
        int width = length ? width_of(c) : -1;
        used += width < 0 ? 1 : width;
        if (used > cols)
            break;
        i += length ? length : 1;
    }
    return i;
}

void watch_show(struct watch *w)
{
    struct winsize size;
    if (!w->terminal) {
        fflush(stdout);
        return;
    }
    fclose(stdout);
    stdout = w->to;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    size_t rows = 0, row = 0, most = size.ws_row - 1;
    for (const char *c = w->text; *c; c++)
        rows += *c == '\n';
    fputs("\033[H", stdout);
    for (const char *at = w->text; *at && row < most; row++) {
        size_t length = strcspn(at, "\n");
        if (row + 1 == most && rows > most)
            printf("… and %zu more\033[K\n", rows - row);
        else
            printf("%.*s\033[0m\033[K\n", (int)line_fits(at, length, size.ws_col), at);
        at += length + (at[length] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
    free(TAKE(w->text));
}

bool watch_wait(struct watch *w, int ms)
{
    struct pollfd p = {.fd = w->keys ? STDIN_FILENO : -1, .events = POLLIN};
    char key;
    if (!w->terminal) {
        poll(NULL, 0, ms);
        return !ferror(stdout);
    }
    int r = poll(&p, 1, ms);
    while (r > 0 && w->keys && read(STDIN_FILENO, &key, 1) == 1)
        if (key == 'q' || key == 'Q' || key == '\033')
            return false;
    if (r > 0 && (p.revents & (POLLHUP | POLLERR)))
        return false;
    return !ferror(stdout);
}
