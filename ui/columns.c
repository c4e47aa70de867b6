#include "ui/columns.h"

#include <stdio.h>
#include <strings.h>

// clang-format off
const struct ui_column_row ui_columns[UI_COL_COUNT] = {
    [UI_COL_NAME]     = {"NAME",     20, 0,   false, false},
    [UI_COL_STATE]    = {"STATE",    10, 0,   false, false},
    [UI_COL_BOUNDARY] = {"BOUNDARY", 10, 64,  false, false},
    [UI_COL_PROFILE]  = {"PROFILE",  11, 90,  false, false},
    [UI_COL_CPU]      = {"CPU",      6,  52,  true,  true },
    [UI_COL_MEMORY]   = {"MEMORY",   9,  52,  true,  true },
    [UI_COL_READ]     = {"READ/s",   9,  132, true,  true },
    [UI_COL_WRITTEN]  = {"WRITE/s",  9,  132, true,  true },
    [UI_COL_PIDS]     = {"PIDS",     5,  146, true,  true },
    [UI_COL_PRESSURE] = {"WAITS",    6,  140, true,  true },
    [UI_COL_GRAPH]    = {"CPU LATELY", 10, 112, false, true },
    [UI_COL_AGE]      = {"AGE",      7,  0,   true,  true },
    [UI_COL_COMMAND]  = {"COMMAND",  0,  0,   false, false},
};
// clang-format on

int ui_column_width(const struct ui_model *m, enum ui_column c)
{
    int width = ui_columns[c].width;
    if (m->cols < ui_columns[c].least_cols)
        return 0;
    if (c == UI_COL_NAME)
        return m->cols < 60 ? 14 : m->cols >= 160 ? 32 : width;
    if (c == UI_COL_GRAPH && m->cols >= 180)
        return m->cols >= 300 ? 60 : 30;
    return width;
}

static const char *rate_text(uint64_t rate, const struct ui_row *r, char *to, size_t room)
{
    if (rate == UINT64_MAX || !state_phase_lives(r->phase))
        snprintf(to, room, "-");
    else
        str_from_size(rate, to, room);
    return to;
}

const char *ui_column_text(const struct ui_model *m, const struct ui_row *r, enum ui_column c,
                           char *to, size_t room)
{
    bool lives = state_phase_lives(r->phase);
    *to = '\0';
    switch (c) {
    case UI_COL_NAME:
        return r->name;
    case UI_COL_STATE:
        return ui_row_state(r, to, room);
    case UI_COL_BOUNDARY:
        return r->boundary;
    case UI_COL_PROFILE:
        return r->profile;
    case UI_COL_CPU:
        return ui_row_cpu(r, to, room);
    case UI_COL_MEMORY:
        return ui_row_memory(r, to, room);
    case UI_COL_READ:
        return rate_text(r->read_rate, r, to, room);
    case UI_COL_WRITTEN:
        return rate_text(r->write_rate, r, to, room);
    case UI_COL_PIDS:
        if (!lives || r->pids == UINT64_MAX)
            snprintf(to, room, "-");
        else
            snprintf(to, room, "%llu", (unsigned long long)r->pids);
        return to;
    case UI_COL_PRESSURE:
        if (!lives || r->pressure_permille < 0)
            snprintf(to, room, "-");
        else
            snprintf(to, room, "%d.%d%%", r->pressure_permille / 10, r->pressure_permille % 10);
        return to;
    case UI_COL_AGE:
        return ui_row_age(r, m->now_ms, to, room);
    case UI_COL_COMMAND:
        return r->reason ? r->reason : r->command;
    case UI_COL_GRAPH:
    case UI_COL_COUNT:
        break;
    }
    return to;
}

static int64_t column_number(const struct ui_row *r, enum ui_column c)
{
    bool lives = state_phase_lives(r->phase) && r->sampled;
    uint64_t n = UINT64_MAX;
    if (c == UI_COL_AGE)
        return -(r->started_ms ? r->started_ms : r->created_ms);
    if (c == UI_COL_STATE)
        return r->silent ? STATE_LOST + 1 : (int64_t)r->phase;
    if (c == UI_COL_CPU || c == UI_COL_GRAPH)
        return lives ? r->cpu_permille : -1;
    if (c == UI_COL_PRESSURE)
        return lives ? r->pressure_permille : -1;
    if (c == UI_COL_MEMORY)
        n = r->memory;
    else if (c == UI_COL_READ)
        n = r->read_rate;
    else if (c == UI_COL_WRITTEN)
        n = r->write_rate;
    else if (c == UI_COL_PIDS)
        n = r->pids;
    return lives && n != UINT64_MAX ? (int64_t)MIN(n, (uint64_t)INT64_MAX) : -1;
}

static const char *column_word(const struct ui_row *r, enum ui_column c)
{
    return c == UI_COL_NAME       ? r->name
           : c == UI_COL_BOUNDARY ? r->boundary
           : c == UI_COL_PROFILE  ? r->profile
           : c == UI_COL_COMMAND  ? r->command
                                  : NULL;
}

int ui_column_compare(const struct ui_row *a, const struct ui_row *b, enum ui_column c)
{
    const char *word = column_word(a, c);
    if (word)
        return strcasecmp(word, column_word(b, c));
    int64_t x = column_number(a, c), y = column_number(b, c);
    int by = x < y ? -1 : x > y;
    return ui_columns[c].large_first ? -by : by;
}

/* --- graphs --- */

enum ui_graph ui_graph_kind(const struct ui_model *m)
{
    return !m->utf8 || m->ascii_graphs ? UI_GRAPH_ASCII : UI_GRAPH_BRAILLE;
}

static uint64_t history_at(const struct ui_history *h, bool memory, unsigned back)
{
    if (!h || back >= h->used)
        return 0;
    unsigned at = (h->next + UI_HISTORY - 1 - back) % UI_HISTORY;
    return memory ? h->memory_k[at] : h->cpu[at];
}

/* 0 to `steps`: nothing at all is 0, anything is 1 at least. */
static unsigned graph_height(uint64_t value, uint64_t top, unsigned steps)
{
    return value ? (unsigned)MAX(1u, MIN((value * steps + top - 1) / top, (uint64_t)steps)) : 0;
}

static void graph_cell(struct buf *b, unsigned left, unsigned right, enum ui_graph kind)
{
    static const char ascii[] = " .:-=+*#@";
    static const uint8_t lefts[] = {0, 0x40, 0x44, 0x46, 0x47},
                         rights[] = {0, 0x80, 0xa0, 0xb0, 0xb8};
    char utf8[4];
    if (kind == UI_GRAPH_ASCII)
        buf_putc(b, ascii[right]);
    else if (kind == UI_GRAPH_BLOCK && !right)
        buf_putc(b, ' ');
    else if (kind == UI_GRAPH_BLOCK)
        buf_add(b, utf8, str_utf8_encode(0x2580 + right, utf8));
    else
        buf_add(b, utf8, str_utf8_encode(0x2800u + lefts[left] + rights[right], utf8));
}

char *ui_graph_text(const struct ui_history *h, bool memory, int width, enum ui_graph kind)
{
    struct buf b = {0};
    unsigned wide = kind == UI_GRAPH_BRAILLE ? 2 : 1, steps = kind == UI_GRAPH_BRAILLE ? 4 : 8;
    uint64_t top = memory ? 1 : 1000; /* processors: whole ones */
    for (unsigned i = 0; i < (unsigned)width * wide; i++)
        top = MAX(top, history_at(h, memory, i));
    for (int i = width - 1; i >= 0; i--) {
        unsigned right = graph_height(history_at(h, memory, (unsigned)i * wide), top, steps);
        unsigned left =
            wide == 2 ? graph_height(history_at(h, memory, (unsigned)i * 2 + 1), top, steps) : 0;
        graph_cell(&b, left, right, kind);
    }
    return buf_take(&b);
}
