/* This machine: what runs on it behind each boundary, and what there is room for. */
#include "ui/columns.h"
#include "ui/graphs.h"
#include "ui/views.h"

#include <stdio.h>

static const char *percent(double value, char *to, size_t room)
{
    if (value < 0)
        snprintf(to, room, "not known");
    else
        snprintf(to, room, "%.1f%%", value);
    return to;
}

static char *bar(const struct ui_model *m, uint64_t used, uint64_t all, int width)
{
    struct buf b = {0};
    int full = all ? (int)(MIN(used, all) * (uint64_t)width / all) : 0;
    buf_putc(&b, '[');
    for (int i = 0; i < width; i++)
        buf_puts(&b, i < full ? m->utf8 ? "\xe2\x96\xa0" : "#" : " ");
    buf_putc(&b, ']');
    return buf_take(&b);
}

static void sizes(const struct ui_model *m, struct buf *b, const char *what, uint64_t used,
                  uint64_t all)
{
    char a[32], c[32];
    autofree char *drawn = bar(m, used, all, MIN(MAX(30, MIN(m->cols / 2, 100)), m->cols - 44));
    buf_printf(b, "%-10s %s %s of %s\n", what, m->cols >= 60 ? drawn : "",
               str_from_size(used, a, sizeof(a)), str_from_size(all, c, sizeof(c)));
}

/* Being read, not to be read, or how many (SIZE_MAX: that is left out) and how large. */
static void stored(struct buf *b, const char *failed, bool known, size_t count, const char *size)
{
    if (failed || !known)
        buf_puts(b, failed ? "cannot be read" : "looking…");
    else if (count == SIZE_MAX)
        buf_puts(b, size);
    else
        buf_printf(b, "%zu, %s", count, size);
}

/* Each on a line of its own where there is room. */
static void stored_lines(const struct ui_model *m, struct buf *b)
{
    enum { ROWS_FOR_EACH = 14 };
    const struct ui_images *images = &m->images;
    uint64_t taken = 0;
    char a[32], c[32];
    for (size_t i = 0; i < m->snapshots_count; i++)
        taken += m->snapshots[i].bytes == UINT64_MAX ? 0 : m->snapshots[i].bytes;
    bool each = m->rows >= ROWS_FOR_EACH;
    buf_printf(b, "%-10s ", "snapshots");
    stored(b, m->snapshots_failed, m->snapshots_known, m->snapshots_count,
           str_from_size(taken, c, sizeof(c)));
    buf_printf(b, each ? "\n%-10s " : "; %s ", "images");
    stored(b, images->failed, images->known, each ? images->count : SIZE_MAX,
           str_from_size(images->bytes, a, sizeof(a)));
    if (each && images->cache && m->cols >= 60)
        buf_printf(b, "; made from them and kept: %s", images->cache);
    buf_putc(b, '\n');
}

static void host_lines(const struct ui_model *m, struct buf *b)
{
    const struct ui_host_facts *f = &m->facts;
    char a[32], c[32], d[32];
    if (!f->known) {
        buf_puts(b, "looking…\n");
        return;
    }
    sizes(m, b, "memory", f->memory - MIN(f->available, f->memory), f->memory);
    sizes(m, b, "disk", f->disk - MIN(f->disk_free, f->disk), f->disk);
    buf_printf(b, "%-10s %.2f %.2f %.2f on %u%s\n", "load", f->load[0], f->load[1], f->load[2],
               f->processors, m->cols >= 60 ? " processors" : "");
    buf_printf(b,
               m->cols >= 60 ? "%-10s cpu %s, memory %s, disk %s of the last 10 s\n"
                             : "%-10s cpu %s mem %s io %s\n",
               "waits", percent(f->pressure_cpu, a, sizeof(a)),
               percent(f->pressure_memory, c, sizeof(c)), percent(f->pressure_io, d, sizeof(d)));
    stored_lines(m, b);
}

struct boundary_sum {
    size_t count, sampled;
    uint64_t memory, cpu, pids;
};

static struct boundary_sum sum_of(const struct ui_model *m, const char *boundary)
{
    struct boundary_sum s = {0};
    for (size_t i = 0; i < m->count; i++) {
        const struct ui_row *r = &m->list[i];
        if (!str_starts(r->boundary, boundary) || !state_phase_lives(r->phase))
            continue;
        s.count++;
        s.cpu += (uint64_t)MAX(r->cpu_permille, 0);
        if (r->sampled && r->memory != UINT64_MAX) {
            s.sampled++;
            s.memory += r->memory;
            s.pids += r->pids == UINT64_MAX ? 1 : r->pids;
        }
    }
    return s;
}

/*
 * Room for more is what memory there is, by what those that run use on average; beside each runs a
 * monitor, and the kernel counts processes.
 */
static uint64_t room_for(const struct ui_host_facts *f, const struct boundary_sum *s)
{
    enum { BESIDE = 1 << 20 }; /* bytes: the monitor, and what the kernel keeps of both */
    uint64_t by_memory = f->available / (s->memory / s->sampled + BESIDE);
    uint64_t by_pids = f->processes ? f->processes / (s->pids / s->sampled + 2) : by_memory;
    return MIN(by_memory, by_pids);
}

static void boundary_line(const struct ui_model *m, struct buf *b, const char *boundary)
{
    struct boundary_sum s = sum_of(m, boundary);
    char memory[32], room[32] = "-", cpu[32];
    if (s.sampled && s.memory)
        snprintf(room, sizeof(room), m->cols >= 60 ? "about %llu" : "%llu",
                 (unsigned long long)room_for(&m->facts, &s));
    snprintf(cpu, sizeof(cpu), "%llu.%llu%%", (unsigned long long)s.cpu / 10,
             (unsigned long long)s.cpu % 10);
    buf_printf(b, "%-9s %5zu %6s %9s  %s\n", boundary, s.count, cpu,
               str_from_size(s.memory, memory, sizeof(memory)), room);
}

static int uses_more(const void *a, const void *b)
{
    const struct ui_row *x = *(const struct ui_row *const *)a,
                        *y = *(const struct ui_row *const *)b;
    if (x->cpu_permille != y->cpu_permille)
        return x->cpu_permille < y->cpu_permille ? 1 : -1;
    return x->memory == y->memory ? strcmp(x->id, y->id) : x->memory < y->memory ? 1 : -1;
}

/* Where there is room: who uses most of it. */
static void view_greatest(const struct ui_model *m, const struct ui_rect *r)
{
    autofree const struct ui_row **rows = mem_zero(m->count + 1, sizeof(*rows));
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        if (state_phase_lives(m->list[i].phase) && m->list[i].sampled)
            rows[count++] = &m->list[i];
    if (r->rows < 3 || !count)
        return;
    qsort(rows, count, sizeof(*rows), uses_more);
    paint_line(r->row, r->col, r->cols, "what uses most");
    int graph = MAX(r->cols - 60, 0);
    for (int i = 0; i < r->rows - 1 && (size_t)i < count; i++) {
        char cpu[32], memory[32];
        autofree char *lately =
            ui_graph_text(rows[i]->history, UI_HISTORY_CPU, MAX(graph, 1), 0, 1, ui_graph_kind(m));
        autofree char *head =
            str_format("%-10s %6s %9s  ", rows[i]->boundary,
                       ui_column_text(m, rows[i], UI_COL_CPU, cpu, sizeof(cpu)),
                       ui_column_text(m, rows[i], UI_COL_MEMORY, memory, sizeof(memory)));
        int name = MIN(30, r->cols - 30); /* and a blank */
        paint_cut(r->row + 1 + i, r->col, name, UI_PLAIN, rows[i]->name);
        paint_text(r->row + 1 + i, r->col + name + 1, MIN(29, r->cols - name - 1), UI_PLAIN, head);
        if (graph > 0)
            paint_text(r->row + 1 + i, r->col + 60, graph, UI_GRAPH, lately);
    }
}

void view_host(const struct ui_model *m, const struct ui_rect *r)
{
    static const char *const boundaries[] = {"container", "sandbox", "microvm", "vm"};
    struct buf b = {0};
    host_lines(m, &b);
    buf_printf(&b, "%s%-9s %5s %6s %9s  %s\n", r->rows > 10 ? "\n" : "", "BOUNDARY", "COUNT", "CPU",
               "MEMORY", m->cols >= 60 ? "ROOM FOR" : "ROOM");
    for (size_t i = 0; i < ARRAY_SIZE(boundaries); i++)
        boundary_line(m, &b, boundaries[i]);
    autofree char *text = buf_take(&b);
    autostrv char **lines = NULL;
    for (char *at = text; *at;) {
        size_t length = strcspn(at, "\n");
        strv_take(&lines, str_ndup(at, length));
        at += length + (at[length] == '\n');
    }
    struct ui_rect inside = {r->row, 1, r->rows, r->cols - 2};
    int used = view_lines(&inside, lines, 0) + 1;
    struct ui_rect below = {r->row + used, 1, r->rows - used, r->cols - 2};
    view_greatest(m, &below);
}
