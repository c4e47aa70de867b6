/* The page of one workload's numbers: each on a line of its own, anew with each sample. */
#include "ui/columns.h"
#include "ui/details.h"
#include "ui/model_inner.h"

#include <stdio.h>

bool ui_shows_numbers(const struct ui_model *m)
{
    return m->page == UI_PAGE_TEXT && m->text_id && m->text_tab == UI_TAB_NUMBERS;
}

static const char *size_of(uint64_t bytes, char to[32])
{
    if (bytes == UINT64_MAX)
        return "not known";
    return str_from_size(bytes, to, 32);
}

/* "read       1.2 MiB, 12 KiB a second" */
static void flow(struct buf *b, const char *what, uint64_t all, uint64_t rate)
{
    char whole[32], each[32];
    buf_printf(b, "%-10s %s", what, size_of(all, whole));
    if (all != UINT64_MAX && rate != UINT64_MAX)
        buf_printf(b, ", %s a second", size_of(rate, each));
    buf_putc(b, '\n');
}

static void count(struct buf *b, const char *what, uint64_t n)
{
    if (n == UINT64_MAX)
        buf_printf(b, "%-10s not known\n", what);
    else
        buf_printf(b, "%-10s %llu\n", what, (unsigned long long)n);
}

static void numbers(const struct ui_model *m, const struct ui_row *r, struct buf *b)
{
    char to[32], most[32];
    const char *cpu = ui_row_cpu(r, to, sizeof(to));
    buf_printf(b, "%-10s %s\n", "processor", str_equal(cpu, "-") ? "not known" : cpu); /* of one */
    buf_printf(b, "%-10s %s", "memory", size_of(r->memory, to));
    if (r->memory_peak != UINT64_MAX)
        buf_printf(b, ", %s at most", size_of(r->memory_peak, most));
    buf_putc(b, '\n');
    count(b, "processes", r->pids);
    flow(b, "read", r->io_read, r->read_rate);
    flow(b, "written", r->io_write, r->write_rate);
    flow(b, "received", r->network_in, r->in_rate);
    flow(b, "sent", r->network_out, r->out_rate);
    const char *waits = ui_column_text(m, r, UI_COL_PRESSURE, to, sizeof(to));
    buf_printf(b, "%-10s %s\n", "waited",
               str_equal(waits, "-") ? "not known" : waits); /* of the time */
    if (r->oom_kills && r->oom_kills != UINT64_MAX)
        buf_printf(b, "killed     %llu for want of memory\n", (unsigned long long)r->oom_kills);
    if (r->says)
        buf_printf(b, "its guest says: %s\n", r->says);
}

bool ui_numbers_are_seen(const struct ui_model *m)
{
    bool list = m->page == UI_PAGE_LIST && m->dialog != UI_DIALOG_LAUNCH;
    if (m->hidden || (list && m->zoomed && m->panes_count)) /* a pane has the list's place */
        return false;
    return list || m->page == UI_PAGE_HOST || m->page == UI_PAGE_GRAPHS || ui_shows_numbers(m);
}

static char *text_of(const struct ui_model *m)
{
    const struct ui_row *r = ui_model_row(m, m->text_id);
    struct buf b = {0};
    if (!r || !state_phase_lives(r->phase))
        buf_puts(&b, "it is not running; what it used is in its report\n");
    else if (r->foreign)
        buf_puts(&b, "another program's domain: what it uses is not asked for\n");
    else if (r->silent)
        buf_puts(&b, "its monitor does not answer\n");
    else if (!r->sampled)
        buf_puts(&b, "looking…\n");
    else
        numbers(m, r, &b);
    return buf_take(&b);
}

void ui_model_numbers(struct ui_model *m)
{
    if (!ui_shows_numbers(m))
        return;
    autofree char *text = text_of(m);
    autofree char *old = m->text_count ? strv_join(m->text, "\n") : str_dup("");
    size_t length = strlen(old);
    if (strlen(text) != length + 1 || memcmp(text, old, length) != 0)
        ui_model_text_again(m, text);
}
