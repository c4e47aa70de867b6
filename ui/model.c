#include "ui/model.h"

#include <stdio.h>
#include <strings.h>

void ui_model_init(struct ui_model *m, int rows, int cols, bool utf8)
{
    *m = (struct ui_model){.rows = rows, .cols = cols, .utf8 = utf8, .dirty = true};
}

static void row_done(struct ui_row *r)
{
    free(r->id);
    free(r->name);
    free(r->profile);
    free(r->boundary);
    free(r->command);
    free(r->reason);
}

void ui_model_done(struct ui_model *m)
{
    for (size_t i = 0; i < m->count; i++)
        row_done(&m->list[i]);
    free(m->list);
    free(m->selected);
    free(m->console.id);
    free(m->console.name);
    free(m->console.how);
    cells_done(&m->console.cells);
    free(m->asked_id);
    free(m->question);
    profile_list_free(m->profiles, m->profiles_count);
    strv_free(m->explained);
    free(m->explained_name);
    free(m->text_title);
    strv_free(m->text);
    free(m->message);
    struct ui_intent i;
    while (ui_take_intent(m, &i))
        ui_intent_done(&i);
    free(m->intents);
    *m = (struct ui_model){0};
}

/* --- intents --- */

void ui_intend(struct ui_model *m, enum ui_intent_kind kind, const char *id, const char *text,
               size_t size)
{
    m->intents = mem_grow(m->intents, m->intents_count + 1, sizeof(*m->intents));
    struct ui_intent *i = &m->intents[m->intents_count++];
    *i = (struct ui_intent){.kind = kind, .id = str_dup_or_null(id), .size = size};
    if (text) {
        i->text = mem_alloc(size + 1);
        memcpy(i->text, text, size);
        i->text[size] = '\0';
    }
}

bool ui_take_intent(struct ui_model *m, struct ui_intent *ret)
{
    if (!m->intents_count)
        return false;
    *ret = m->intents[0];
    memmove(m->intents, m->intents + 1, --m->intents_count * sizeof(*m->intents));
    return true;
}

void ui_intent_done(struct ui_intent *i)
{
    free(i->id);
    free(i->text);
}

/* --- rows --- */

struct ui_row *ui_model_row(const struct ui_model *m, const char *id)
{
    for (size_t i = 0; id && i < m->count; i++)
        if (str_equal(m->list[i].id, id))
            return &m->list[i];
    return NULL;
}

static bool row_passes(const struct ui_row *r, const char *filter)
{
    return !*filter || strcasestr(r->name, filter) || strcasestr(r->command, filter) ||
           strcasestr(r->profile, filter) || strcasestr(r->boundary, filter) ||
           strcasestr(state_phase_name(r->phase), filter);
}

size_t ui_model_visible(const struct ui_model *m, size_t nth)
{
    for (size_t i = 0; i < m->count; i++)
        if (row_passes(&m->list[i], m->filter.text) && nth-- == 0)
            return i;
    return m->count;
}

size_t ui_model_visible_count(const struct ui_model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        n += row_passes(&m->list[i], m->filter.text);
    return n;
}

struct ui_row *ui_model_selected(const struct ui_model *m)
{
    struct ui_row *r = ui_model_row(m, m->selected);
    return r && row_passes(r, m->filter.text) ? r : NULL;
}

static char *safe(const char *s)
{
    return str_escape_z(s ? s : "");
}

static struct ui_row row_of(const struct state_record *r)
{
    autofree char *boundary = state_boundary_text(r);
    return (struct ui_row){
        .id = safe(r->id),
        .name = safe(r->name),
        .profile = safe(r->profile),
        .boundary = safe(boundary),
        .command = safe(r->command),
        .reason = r->reason ? safe(r->reason) : NULL,
        .phase = r->phase,
        .created_ms = r->created_ms,
        .started_ms = r->started_ms,
        .ended_ms = r->ended_ms,
        .status = r->status,
        .terminal = r->terminal,
        .cpu_permille = -1,
    };
}

static bool rows_look_alike(const struct ui_row *a, const struct ui_row *b)
{
    return a->phase == b->phase && a->status == b->status && a->ended_ms == b->ended_ms &&
           str_equal(a->id, b->id) && str_equal(a->name, b->name) &&
           str_equal(a->command, b->command) && str_equal(a->reason, b->reason);
}

void ui_model_list(struct ui_model *m, const struct state_record *list, size_t count)
{
    struct ui_row *rows = mem_zero(count, sizeof(*rows));
    bool changed = count != m->count;
    for (size_t i = 0; i < count; i++) {
        rows[i] = row_of(&list[i]);
        const struct ui_row *old = ui_model_row(m, rows[i].id);
        if (old) {
            rows[i].sampled = old->sampled;
            rows[i].silent = old->silent;
            rows[i].cpu_us = old->cpu_us;
            rows[i].memory = old->memory;
            rows[i].sampled_ms = old->sampled_ms;
            rows[i].cpu_permille = old->cpu_permille;
        }
        changed |= i < m->count && !rows_look_alike(&rows[i], &m->list[i]);
    }
    for (size_t i = 0; i < m->count; i++)
        row_done(&m->list[i]);
    free(m->list);
    m->list = rows;
    m->count = count;
    m->dirty |= changed;
    if (!ui_model_selected(m)) {
        size_t first = ui_model_visible(m, 0);
        free(m->selected);
        m->selected = first < m->count ? str_dup(m->list[first].id) : NULL;
    }
}

void ui_model_sample(struct ui_model *m, const char *id, enum state_phase phase, uint64_t cpu_us,
                     uint64_t memory)
{
    struct ui_row *r = ui_model_row(m, id);
    char cpu[2][16], used[2][32];
    if (!r)
        return;
    ui_row_cpu(r, cpu[0], sizeof(cpu[0]));
    ui_row_memory(r, used[0], sizeof(used[0]));
    int64_t passed = m->now_ms - r->sampled_ms;
    if (cpu_us == UINT64_MAX)
        r->cpu_permille = -1;
    else if (r->sampled && passed > 100 && cpu_us >= r->cpu_us)
        r->cpu_permille = (int)((cpu_us - r->cpu_us) / (uint64_t)passed);
    r->sampled = true;
    r->cpu_us = cpu_us;
    r->memory = memory;
    r->sampled_ms = m->now_ms;
    m->dirty |= r->phase != phase || r->silent;
    r->phase = phase;
    r->silent = false;
    m->dirty |= !str_equal(cpu[0], ui_row_cpu(r, cpu[1], sizeof(cpu[1]))) ||
                !str_equal(used[0], ui_row_memory(r, used[1], sizeof(used[1])));
}

void ui_model_silent(struct ui_model *m, const char *id, bool silent)
{
    struct ui_row *r = ui_model_row(m, id);
    if (!r || r->silent == silent)
        return;
    r->silent = silent;
    m->dirty = true;
}

void ui_model_time(struct ui_model *m, int64_t now_ms)
{
    char before[32], after[32];
    for (size_t i = 0; i < m->count && !m->dirty; i++)
        m->dirty = !str_equal(ui_row_age(&m->list[i], m->now_ms, before, sizeof(before)),
                              ui_row_age(&m->list[i], now_ms, after, sizeof(after)));
    m->now_ms = now_ms;
    if (m->message && now_ms >= m->message_until) {
        free(TAKE(m->message));
        m->dirty = true;
    }
}

/* --- text --- */

static void lines_set(char ***lines, const char *text)
{
    strv_free(*lines);
    *lines = NULL;
    while (*text) {
        size_t length = strcspn(text, "\n");
        struct buf plain = {0};
        for (size_t i = 0; i < length; i++) /* columns of tables keep their places */
            buf_puts(&plain, text[i] == '\t' ? "        " : (char[]){text[i], '\0'});
        autofree char *line = buf_take(&plain);
        strv_take(lines, safe(line));
        text += length;
        text += *text == '\n';
    }
}

void ui_model_profiles(struct ui_model *m, struct profile_entry *list, size_t count)
{
    profile_list_free(m->profiles, m->profiles_count);
    m->profiles = list;
    m->profiles_count = count;
    m->profile = 0;
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].name, "contained"))
            m->profile = i;
    m->dirty = true;
}

void ui_model_explained(struct ui_model *m, const char *profile, const char *text)
{
    free(m->explained_name);
    m->explained_name = str_dup(profile);
    lines_set(&m->explained, text);
    m->dirty = true;
}

void ui_model_text(struct ui_model *m, const char *title, const char *text)
{
    free(m->text_title);
    m->text_title = safe(title);
    lines_set(&m->text, text);
    m->text_scroll = 0;
    m->page = UI_PAGE_TEXT;
    m->focus = UI_FOCUS_LIST;
    m->dirty = true;
}

void ui_model_message(struct ui_model *m, bool bad, const char *text)
{
    autofree char *line = str_ndup(text, strcspn(text, "\n"));
    free(m->message);
    m->message = safe(line);
    m->message_bad = bad;
    m->message_until = m->now_ms + UI_MESSAGE_MS;
    m->dirty = true;
}

void ui_model_no_message(struct ui_model *m)
{
    m->dirty |= m->message != NULL;
    free(TAKE(m->message));
}

void ui_model_keys(struct ui_model *m, const char *detach_keys)
{
    struct error e;
    if (attach_chord_parse(detach_keys, &m->console.keys, &e) < 0)
        attach_chord_parse(NULL, &m->console.keys, &e);
    m->dirty = true;
}

void ui_model_cells(struct ui_model *m, const struct cells *c)
{
    struct cells *to = &m->console.cells;
    if (to->rows != c->rows || to->cols != c->cols) {
        cells_done(to);
        cells_init(to, c->rows, c->cols);
    }
    struct cell *cell = to->cell;
    bool *dirty = to->dirty;
    memcpy(cell, c->cell, (size_t)c->rows * c->cols * sizeof(*cell));
    *to = *c;
    to->cell = cell;
    to->dirty = dirty;
    m->dirty = true;
}

/* --- what stands where --- */

char *ui_console_prefix(const struct ui_console *c)
{
    struct attach_chord first = {.first = c->keys.first};
    return attach_chord_name(&first);
}

bool ui_model_too_small(const struct ui_model *m)
{
    return m->rows < UI_ROWS_LEAST || m->cols < UI_COLS_LEAST;
}

/* With a console beside a list of so many. */
static void layout(const struct ui_model *m, size_t listed, struct ui_rect *ret_list,
                   struct ui_rect *ret_pane)
{
    int body = MAX(m->rows - 2, 1); /* a title above, a line of keys below */
    int wanted = (int)MIN(listed + 1, (size_t)m->rows);
    int list = m->console.zoomed ? 0 : MIN(MAX(wanted, 3), MAX(body / 3, 3));
    *ret_list = (struct ui_rect){1, 0, list, m->cols};
    /* a line with its name between them */
    *ret_pane = (struct ui_rect){1 + list + 1, 0, body - list - 1, m->cols};
}

void ui_model_layout(const struct ui_model *m, struct ui_rect *ret_list, struct ui_rect *ret_pane)
{
    if (m->console.id && m->page == UI_PAGE_LIST) {
        layout(m, ui_model_visible_count(m), ret_list, ret_pane);
    } else {
        *ret_list = (struct ui_rect){1, 0, MAX(m->rows - 2, 1), m->cols};
        *ret_pane = (struct ui_rect){1, 0, 0, m->cols};
    }
}

void ui_model_pane(const struct ui_model *m, struct ui_rect *ret)
{
    struct ui_rect list;
    layout(m, m->count + 1, &list, ret);
    ret->rows = MAX(ret->rows, 1);
}

const char *ui_row_state(const struct ui_row *r, char *to, size_t room)
{
    if (r->silent)
        snprintf(to, room, "no answer");
    else if (r->phase == STATE_EXITED)
        snprintf(to, room, "exited %d", r->status);
    else
        snprintf(to, room, "%s", state_phase_name(r->phase));
    return to;
}

const char *ui_row_cpu(const struct ui_row *r, char *to, size_t room)
{
    if (r->phase == STATE_EXITED || r->phase == STATE_LOST || r->cpu_permille < 0)
        snprintf(to, room, "-");
    else if (r->cpu_permille < 100)
        snprintf(to, room, "%d.%d%%", r->cpu_permille / 10, r->cpu_permille % 10);
    else
        snprintf(to, room, "%d%%", r->cpu_permille / 10);
    return to;
}

const char *ui_row_memory(const struct ui_row *r, char *to, size_t room)
{
    if (r->phase == STATE_EXITED || r->phase == STATE_LOST || !r->sampled ||
        r->memory == UINT64_MAX)
        snprintf(to, room, "-");
    else
        str_from_size(r->memory, to, room);
    return to;
}

const char *ui_row_age(const struct ui_row *r, int64_t now_ms, char *to, size_t room)
{
    int64_t from = r->ended_ms ? r->ended_ms : r->started_ms ? r->started_ms : r->created_ms;
    int64_t ms = from && now_ms > from ? now_ms - from : 0;
    str_from_duration((uint64_t)(ms / 1000 * 1000), to, room);
    if (ms < 1000)
        snprintf(to, room, "0s");
    else if (ms < 10000)
        snprintf(to, room, "%ds", (int)(ms / 1000));
    return to;
}
