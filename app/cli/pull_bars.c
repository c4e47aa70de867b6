#include "app/cli/pull_bars.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- the filter ----------------------------------------------------------------------------------
 */

/* What skopeo ends a line with that is too long: as wide here as there, or the bars would wander.
 */
static const char pull_dots[] = "\xe2\x80\xa6";

static void filter_visible(const char *text, size_t size, struct buf *to)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] >= ' ' && text[i] <= '~')
            buf_add(to, &text[i], 1);
        else
            buf_printf(to, "\\x%02x", (unsigned char)text[i]);
}

/* Whether what is held is a whole sequence that is known; `final` is its last letter. */
static bool filter_knows(struct pull_filter *f, char final, struct buf *to)
{
    uint64_t n = 1;
    const char *arguments = f->held + 2;
    f->held[f->count] = '\0';
    switch (final) {
    case 'm':
        return true;
    case 'J':
        if (*arguments)
            return false;
        buf_puts(to, "\033[J");
        return true;
    case 'A':
        if ((*arguments && str_to_uint(arguments, &n) < 0) || n > f->lines)
            return false;
        f->lines -= (unsigned)n;
        if (n)
            buf_printf(to, "\033[%uA", (unsigned)n);
        return true;
    }
    return false;
}

/* True while a sequence goes on. */
static bool filter_hold(struct pull_filter *f, char c, struct buf *to)
{
    bool argument = f->count >= 2 && ((c >= '0' && c <= '9') || c == ';');
    if ((f->count == 1 && c == '[') || (argument && f->count + 1 < sizeof(f->held))) {
        f->held[f->count++] = c;
        return true;
    }
    bool known = f->count >= 2 && filter_knows(f, c, to);
    if (!known)
        filter_visible(f->held, f->count, to);
    f->count = 0;
    return known;
}

void pull_filter_text(struct pull_filter *f, const char *text, size_t size, struct buf *to)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (f->count && filter_hold(f, c, to))
            continue;
        if (c == pull_dots[f->dots]) {
            f->dots++;
            if (!pull_dots[f->dots]) {
                buf_puts(to, "~");
                f->dots = 0;
            }
            continue;
        }
        filter_visible(pull_dots, f->dots, to);
        f->dots = 0;
        if (c == '\033') {
            f->held[f->count++] = c;
            continue;
        }
        if (c == '\n' || c == '\r' || c == '\t')
            buf_add(to, &c, 1);
        else
            filter_visible(&c, 1, to);
        f->lines += c == '\n';
    }
}

/* --- the terminal --------------------------------------------------------------------------------
 */

/* Bars are as wide as the person's terminal is now. */
static void bars_follow_size(const struct pull_bars *b)
{
    struct winsize now = {.ws_row = 50, .ws_col = PULL_SIZES_COLS}, was;
    if ((b->person < 0 || ioctl(b->person, TIOCGWINSZ, &now) == 0) && now.ws_col &&
        (ioctl(b->terminal, TIOCGWINSZ, &was) < 0 || memcmp(&now, &was, sizeof(now)) != 0))
        ioctl(b->terminal, TIOCSWINSZ, &now);
}

int pull_bars_open(int person, struct pull_bars *ret, int *ret_slave, struct error *e)
{
    struct pull_bars b = {.person = person};
    autoclose int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    char name[64];
    if (terminal < 0 || grantpt(terminal) < 0 || unlockpt(terminal) < 0 ||
        ptsname_r(terminal, name, sizeof(name)) != 0)
        return error_errno(e, errno, "a terminal for skopeo");
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return error_errno(e, errno, "a terminal for skopeo");
    b.terminal = TAKE_FD(terminal);
    bars_follow_size(&b);
    *ret = b;
    *ret_slave = slave;
    return 0;
}

int pull_bars_show(struct pull_bars *b)
{
    char chunk[4096];
    autobuf shown = {0};
    bars_follow_size(b);
    ssize_t n = read(b->terminal, chunk, sizeof(chunk));
    if (n < 0)
        return errno == EAGAIN || errno == EINTR; /* EIO: it is closed on the other side */
    pull_filter_text(&b->filter, chunk, (size_t)n, &shown);
    if (b->person < 0)
        pull_sizes_text(&b->sizes, shown.data ? shown.data : "", shown.used);
    else if (shown.used)
        fd_write_full(b->person, shown.data, shown.used);
    return n > 0;
}

void pull_bars_close(struct pull_bars *b)
{
    b->terminal = fd_close(b->terminal);
}
