#include "ui/model_inner.h"

#include "ui/bindings.h"
#include "ui/columns.h"

#include <stdio.h>

void ui_model_init(struct ui_model *m, int rows, int cols, bool utf8)
{
    *m = (struct ui_model){.rows = rows,
                           .cols = cols,
                           .utf8 = utf8,
                           .dirty = true,
                           .sort = UI_COL_COUNT,
                           .sheet.field = UI_FIELD_COMMAND};
}

void ui_model_done(struct ui_model *m)
{
    for (size_t i = 0; i < m->count; i++)
        ui_row_done(&m->list[i]);
    free(m->list);
    free(m->by_id);
    free(m->items);
    ui_snapshots_free(m->snapshots, m->snapshots_count);
    ui_sheet_done(&m->sheet);
    ui_bindings_free(m->bindings);
    free(m->selected);
    free(m->console.id);
    free(m->console.name);
    free(m->console.how);
    cells_done(&m->console.cells);
    strv_free(m->asked_ids);
    free(m->asked_args);
    free(m->question);
    profile_list_free(m->profiles, m->profiles_count);
    strv_free(m->explained);
    free(m->explained_name);
    free(m->text_title);
    strv_free(m->text);
    free(m->text_rest);
    free(m->text_id);
    free(m->message);
    struct ui_intent i;
    while (ui_take_intent(m, &i))
        ui_intent_done(&i);
    free(m->intents);
    *m = (struct ui_model){0};
}

char *ui_safe(const char *s)
{
    return str_escape_z(s ? s : "");
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

void ui_model_message(struct ui_model *m, bool bad, const char *text)
{
    autofree char *line = str_ndup(text, strcspn(text, "\n"));
    free(m->message);
    m->message = ui_safe(line);
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

/* The sheet's lines get what the stop of the dial (four lines) leaves. */
int ui_sheet_rows(const struct ui_model *m)
{
    return MAX(2, MIN((int)UI_FIELD_COUNT, m->rows - 9));
}

int ui_sheet_scroll(const struct ui_model *m)
{
    return MAX(0, (int)m->sheet.field - ui_sheet_rows(m) + 1);
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
