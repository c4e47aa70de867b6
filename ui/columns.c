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
    [UI_COL_IN]       = {"NET IN/s",  9, 170, true,  true },
    [UI_COL_OUT]      = {"NET OUT/s", 9, 170, true,  true },
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
    case UI_COL_IN:
        return rate_text(r->in_rate, r, to, room);
    case UI_COL_OUT:
        return rate_text(r->out_rate, r, to, room);
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
    else if (c == UI_COL_IN)
        n = r->in_rate;
    else if (c == UI_COL_OUT)
        n = r->out_rate;
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
