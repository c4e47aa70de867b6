/* This machine: what runs on it behind each boundary, and what there is room for. */
#include "ui/columns.h"
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
    autofree char *drawn = bar(m, used, all, MIN(30, m->cols - 44));
    buf_printf(b, "%-10s %s %s of %s\n", what, m->cols >= 60 ? drawn : "",
               str_from_size(used, a, sizeof(a)), str_from_size(all, c, sizeof(c)));
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
                             : "%-10s %s, %s, %s\n",
               "waits", percent(f->pressure_cpu, a, sizeof(a)),
               percent(f->pressure_memory, c, sizeof(c)), percent(f->pressure_io, d, sizeof(d)));
    uint64_t taken = 0;
    for (size_t i = 0; i < m->snapshots_count; i++)
        taken += m->snapshots[i].bytes == UINT64_MAX ? 0 : m->snapshots[i].bytes;
    buf_printf(b, "%-10s %zu, %s\n", "snapshots", m->snapshots_count,
               str_from_size(taken, a, sizeof(a)));
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
    view_lines(&inside, lines, 0);
}
