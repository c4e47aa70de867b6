/* What each control and escape sequence does. */
#include "console/pen.h"
#include "console/screen_inner.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { REPLIES_MOST = 16 }; /* in one feed */

static void answer(struct screen *s, const char *text)
{
    s->counts.queries++;
    if (s->reply && s->replies++ < REPLIES_MOST)
        s->reply(text, strlen(text), s->data);
}

static void answer_position(struct screen *s)
{
    char text[32];
    unsigned row = s->row;
    if (s->unusual & UNUSUAL_ORIGIN)
        row -= MIN(row, (unsigned)s->top);
    snprintf(text, sizeof(text), "\x1b[%s%u;%uR", s->tokens.leader ? "?" : "", row + 1,
             s->col + 1u);
    answer(s, text);
}

static void erase_line(struct screen *s)
{
    unsigned how = tokens_param(&s->tokens, 0, 0);
    if (how > 2)
        return;
    grid_erase(s->on, s->row, how ? 0 : s->col, how == 1 ? (uint16_t)(s->col + 1) : s->cols,
               s->pen.bg);
}

/* DECALN fills the screen: three bytes that cost as much as thousands are obeyed at their price. */
static void align_pattern(struct screen *s)
{
    struct cell e = {.chars = {'E'}, .width = 1};
    if (s->fed < s->aligned)
        return;
    s->aligned = s->fed + (uint64_t)s->rows * s->cols / 16;
    for (uint16_t row = 0; row < s->rows; row++) {
        struct cell *c = grid_write(s->on, row, 0, s->cols);
        for (uint16_t col = 0; col < s->cols; col++)
            c[col] = e;
    }
}

static void repeat(struct screen *s)
{
    unsigned count = tokens_count(&s->tokens, 0);
    if (!s->joinable)
        return;
    char set = s->sets[s->set];
    s->sets[s->set] = 'B'; /* it was mapped when it was written */
    for (unsigned i = 0; i < MIN(count, (unsigned)s->cols); i++)
        screen_print(s, s->last);
    s->sets[s->set] = set;
}

static void cursor_shape(struct screen *s)
{
    static const uint8_t shapes[] = {0, 1, 1, 2, 2, 3, 3};
    unsigned n = tokens_param(&s->tokens, 0, 0);
    if (n < ARRAY_SIZE(shapes))
        s->modes.cursor_shape = shapes[n];
}

/* Sequences that libvterm obeys, with their parameters and nothing else. */
static void csi_forward(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    char text[32] = "\x1b[";
    size_t used = 2;
    for (unsigned i = 0; i < MIN(t->count, 2u); i++) {
        if (i)
            text[used++] = ';';
        if (t->params[i] != TOKENS_MISSING)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%u", t->params[i]);
    }
    text[used++] = t->final;
    text[used] = '\0';
    if (t->final == 'g')
        s->unusual |= UNUSUAL_TABS;
    screen_obey(s, text, strchr("ABCDEFGH`adefjk", t->final), t->final == 'S');
}

static void csi_plain(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    switch (t->final) {
    case 'K':
        erase_line(s);
        break;
    case 'J':
        if (tokens_param(t, 0, 0) < 3)
            csi_forward(s);
        break;
    case 'b':
        repeat(s);
        return;
    case 'c':
        answer(s, "\x1b[?1;2c");
        break;
    case 'h':
    case 'l':
        screen_set_modes(s, t->final == 'h');
        break;
    case 'n':
        if (tokens_param(t, 0, 0) == 5)
            answer(s, "\x1b[0n");
        else if (tokens_param(t, 0, 0) == 6)
            answer_position(s);
        break;
    case 'r':
        screen_set_margins(s);
        break;
    case 's':
        screen_save_cursor(s);
        break;
    case 'u':
        screen_restore_cursor(s);
        break;
    case 'T':
        if (t->count < 2)
            csi_forward(s);
        break;
    default:
        if (strchr("@ABCDEFGHILMPSXZ`adefgjk", t->final))
            csi_forward(s);
        else if (t->final == 't')
            s->counts.queries++; /* window operations, among them the title sent back as if typed */
        else
            s->counts.unknown++;
        break;
    }
    s->joinable = false;
}

#define CSI_KEY(leader, intermediate, final) ((leader) << 16 | (intermediate) << 8 | (final))

void screen_csi(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    if (!t->leader && !t->intermediate && t->final == 'm') {
        pen_apply(&s->pen, t);
        return;
    }
    if (!t->leader && !t->intermediate) {
        csi_plain(s);
        return;
    }
    s->joinable = false;
    switch (CSI_KEY(t->leader, t->intermediate, t->final)) {
    case CSI_KEY('?', 0, 'h'):
    case CSI_KEY('?', 0, 'l'):
        screen_set_modes(s, t->final == 'h');
        break;
    case CSI_KEY('?', 0, 'K'):
        erase_line(s);
        break;
    case CSI_KEY('?', 0, 'J'):
        if (tokens_param(t, 0, 0) < 3)
            csi_forward(s);
        break;
    case CSI_KEY('?', 0, 'n'):
        if (tokens_param(t, 0, 0) == 6)
            answer_position(s);
        break;
    case CSI_KEY('>', 0, 'c'):
        answer(s, "\x1b[>0;100;0c");
        break;
    case CSI_KEY(0, ' ', 'q'):
        cursor_shape(s);
        break;
    case CSI_KEY(0, '!', 'p'):
        screen_soft_reset(s, false);
        break;
    case CSI_KEY('?', '$',
                 'p'): /* asking for a mode, the terminal's version, its keyboard's state */
    case CSI_KEY(0, '$', 'p'):
    case CSI_KEY('>', 0, 'q'):
    case CSI_KEY('?', 0, 'u'):
        s->counts.queries++;
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

static void escape_plain(struct screen *s, char final)
{
    switch (final) {
    case '7':
        screen_save_cursor(s);
        break;
    case '8':
        screen_restore_cursor(s);
        break;
    case '=':
    case '>':
        s->modes.app_keypad = final == '=';
        break;
    case 'D':
        screen_obey(s,
                    "\x1b"
                    "D",
                    false, true);
        break;
    case 'E':
        screen_obey(s,
                    "\x1b"
                    "E",
                    false, true);
        break;
    case 'M':
        screen_obey(s,
                    "\x1b"
                    "M",
                    false, false);
        break;
    case 'H':
        s->unusual |= UNUSUAL_TABS;
        screen_obey(s,
                    "\x1b"
                    "H",
                    false, false);
        break;
    case 'Z':
        answer(s, "\x1b[?1;2c");
        break;
    case 'c':
        screen_hard_reset(s);
        break;
    case 'n':
    case 'o':
        s->set = final == 'n' ? 2 : 3;
        break;
    case '\\': /* the end of a string that was none */
        break;
    default:
        s->counts.unknown++;
        break;
    }
}

void screen_escape(struct screen *s)
{
    char intermediate = s->tokens.intermediate, final = s->tokens.final;
    s->joinable = false;
    if (!intermediate)
        escape_plain(s, final);
    else if (intermediate >= '(' && intermediate <= '+')
        s->sets[intermediate - '('] = final == '0' || final == 'A' ? final : 'B';
    else if (intermediate == '#' && final == '8')
        align_pattern(s);
    else if (intermediate != '%' && intermediate != ' ')
        s->counts.unknown++;
}
