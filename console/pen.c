#include "console/pen.h"

#include "base/mem.h"

static void pen_attr(struct cell *pen, unsigned on, unsigned off)
{
    pen->attrs = (uint8_t)((pen->attrs & ~off) | on);
}

/* Parameters joined to `i` by ':'. Returns the index of the last of them. */
static unsigned pen_group_end(const struct tokens *t, unsigned i)
{
    while (i + 1 < t->count && (t->joined & (1u << i)))
        i++;
    return i;
}

static uint32_t pen_rgb(unsigned r, unsigned g, unsigned b)
{
    return CELL_RGB | (r & 0xff) << 16 | (g & 0xff) << 8 | (b & 0xff);
}

/*
 * What follows 38, 48 or 58 at `i`. Returns the index of the last parameter it took; `*colour` is
 * written if it was one.
 */
static unsigned pen_colour(const struct tokens *t, unsigned i, uint32_t *colour)
{
    unsigned end = pen_group_end(t, i);
    bool joined = end > i;
    unsigned kind = tokens_param(t, i + 1, 0);
    if (kind == 5) {
        unsigned n = tokens_param(t, i + 2, 256);
        if (n < 256 && (!joined || i + 2 <= end))
            *colour = 1 + n;
        return joined ? end : i + 2;
    }
    if (kind == 2) {
        /* 38:2:R:G:B, or with a colour space in front: 38:2:SPACE:R:G:B */
        unsigned at = joined && end - i >= 5 ? i + 3 : i + 2;
        if (joined ? at + 2 <= end : at + 2 < t->count)
            *colour = pen_rgb(tokens_param(t, at, 0), tokens_param(t, at + 1, 0),
                              tokens_param(t, at + 2, 0));
        return joined ? end : at + 2;
    }
    return joined ? end : i + 1;
}

/* What an attribute's number turns on and off. */
static const struct {
    uint16_t set, clear;
} pen_attrs[] = {
    [1] = {CELL_BOLD,      0                   },
    [2] = {CELL_DIM,       0                   },
    [3] = {CELL_ITALIC,    0                   },
    [4] = {CELL_UNDERLINE, 0                   },
    [5] = {CELL_BLINK,     0                   },
    [6] = {CELL_BLINK,     0                   },
    [7] = {CELL_REVERSE,   0                   },
    [8] = {CELL_CONCEAL,   0                   },
    [9] = {CELL_STRIKE,    0                   },
    [21] = {CELL_UNDERLINE, 0                   },
    [22] = {0,              CELL_BOLD | CELL_DIM},
    [23] = {0,              CELL_ITALIC         },
    [24] = {0,              CELL_UNDERLINE      },
    [25] = {0,              CELL_BLINK          },
    [27] = {0,              CELL_REVERSE        },
    [28] = {0,              CELL_CONCEAL        },
    [29] = {0,              CELL_STRIKE         },
};

static void pen_simple(struct cell *pen, unsigned n)
{
    if (n == 0) {
        pen->fg = pen->bg = 0;
        pen->attrs = 0;
    } else if (n < ARRAY_SIZE(pen_attrs)) {
        pen_attr(pen, pen_attrs[n].set, pen_attrs[n].clear);
    } else if (n >= 30 && n <= 37) {
        pen->fg = 1 + n - 30;
    } else if (n >= 40 && n <= 47) {
        pen->bg = 1 + n - 40;
    } else if (n >= 90 && n <= 97) {
        pen->fg = 1 + 8 + n - 90;
    } else if (n >= 100 && n <= 107) {
        pen->bg = 1 + 8 + n - 100;
    } else if (n == 39) {
        pen->fg = 0;
    } else if (n == 49) {
        pen->bg = 0;
    }
}

void pen_apply(struct cell *pen, const struct tokens *t)
{
    if (!t->count)
        pen_simple(pen, 0);
    for (unsigned i = 0; i < t->count; i++) {
        unsigned n = tokens_param(t, i, 0);
        uint32_t ignored;
        if (n == 38 || n == 48 || n == 58) {
            i = pen_colour(t, i, n == 38 ? &pen->fg : n == 48 ? &pen->bg : &ignored);
            continue;
        }
        unsigned end = pen_group_end(t, i);
        if (n == 4 && end > i && tokens_param(t, i + 1, 1) == 0)
            n = 24; /* 4:0 */
        if (end == i || n == 4 || n == 24)
            pen_simple(pen, n);
        i = end;
    }
}
