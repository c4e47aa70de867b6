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
    free(m->snapshots_failed);
    free(m->list_failed);
    ui_sheet_done(&m->sheet);
    free(m->selected);
    free(m->wanted);
    for (size_t i = 0; i < m->panes_count; i++)
        ui_pane_done(&m->panes[i]);
    free(m->copied);
    strv_free(m->asked_ids);
    strv_free(m->asked_args);
    free(m->question);
    profile_list_free(m->profiles, m->profiles_count);
    strv_free(m->explained);
    free(m->explained_name);
    free(m->text_title);
    strv_free(m->text);
    free(m->text_rest);
    free(m->text_id);
    free(m->message);
    ui_tasks_done(m);
    ui_images_done(&m->images);
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

void ui_intend_console(struct ui_model *m, enum ui_intent_kind kind, const struct ui_console *c,
                       const char *text, size_t size)
{
    ui_intend(m, kind, c->id, text, size);
    m->intents[m->intents_count - 1].console = c->number;
    m->intents[m->intents_count - 1].first = c->copy ? c->copy->next : 0;
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
