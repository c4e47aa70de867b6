#include "console/filter.h"

#include "console/pen.h"
#include "console/width.h"

void filter_init(struct filter *f, const struct render_terminal *t)
{
    *f = (struct filter){.terminal = *t, .pen = {.width = 1}, .shown = {.width = 1}};
}

static void filter_looks(struct filter *f, const struct cell *looks, struct buf *to)
{
    render_looks(&f->terminal, &f->shown, looks, to);
    f->shown = *looks;
}

/* Colours never run over the end of a line: what comes after it on the terminal may be another's.
 */
static void filter_newline(struct filter *f, struct buf *to)
{
    static const struct cell plain = {.width = 1};
    filter_looks(f, &plain, to);
    buf_putc(to, '\n');
    f->returned = false;
}

static void filter_char(struct filter *f, uint32_t c, struct buf *to)
{
    if (width_of(c) < 0) {
        f->dropped++;
        return;
    }
    if (f->returned)
        filter_newline(f, to);
    filter_looks(f, &f->pen, to);
    struct cell cell = {.chars = {c}, .width = 1};
    char text[4];
    if (width_of(c) > 0)
        render_text(&f->terminal, &cell, to);
    else if (f->terminal.utf8)
        buf_add(to, text, str_utf8_encode(c, text));
}

static void filter_control(struct filter *f, uint32_t c, struct buf *to)
{
    if (c == '\n') {
        filter_newline(f, to);
    } else if (c == '\r') {
        f->returned = true;
    } else if (c == '\t') {
        if (f->returned)
            filter_newline(f, to);
        buf_putc(to, '\t');
    } else {
        f->dropped++;
    }
}

void filter_feed(struct filter *f, const char *data, size_t size, struct buf *to)
{
    for (size_t i = 0; i < size;) {
        enum token_kind kind;
        i += tokens_next(&f->tokens, data + i, size - i, &kind);
        switch (kind) {
        case TOKEN_NONE:
            break;
        case TOKEN_CHAR:
            filter_char(f, f->tokens.c, to);
            break;
        case TOKEN_CONTROL:
            filter_control(f, f->tokens.c, to);
            break;
        case TOKEN_CSI:
            if (f->tokens.final == 'm' && !f->tokens.leader && !f->tokens.intermediate) {
                pen_apply(&f->pen, &f->tokens);
                f->pen.attrs &= (uint8_t) ~(CELL_CONCEAL | CELL_BLINK);
            } else {
                f->dropped++;
            }
            break;
        case TOKEN_ESCAPE:
        case TOKEN_STRING:
        case TOKEN_BROKEN:
            f->dropped++;
            break;
        }
    }
}

void filter_end(struct filter *f, struct buf *to)
{
    static const struct cell plain = {.width = 1};
    if (f->tokens.state == TOKENS_UTF8)
        filter_char(f, 0xfffd, to);
    else if (f->tokens.state != TOKENS_GROUND)
        f->dropped++;
    filter_looks(f, &plain, to);
    f->tokens.state = TOKENS_GROUND;
    f->returned = false;
}
