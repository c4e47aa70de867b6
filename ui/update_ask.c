#include "ui/update_inner.h"

static void ask(struct ui_model *m, enum ui_intent_kind kind, char *question)
{
    free(m->question);
    m->question = question;
    m->asked = kind;
    m->dialog = UI_DIALOG_CONFIRM;
}

/* "web", "web and build", "web, build and 3 more" */
static char *names_of(const struct ui_model *m, char *const *ids)
{
    size_t count = strv_length(ids);
    const struct ui_row *first = ui_model_row(m, ids[0]);
    const struct ui_row *second = count > 1 ? ui_model_row(m, ids[1]) : NULL;
    const char *a = first ? first->name : ids[0], *b = second ? second->name : "";
    if (count < 2)
        return str_dup(a);
    if (count == 2)
        return str_format("%s and %s", a, b);
    return str_format("%s, %s and %zu more", a, b, count - 2);
}

void update_ask(struct ui_model *m, enum ui_intent_kind kind, char **ids, const char *verb,
                const char *note)
{
    strv_free(m->asked_ids);
    m->asked_ids = ids;
    autofree char *names = names_of(m, ids);
    ask(m, kind, str_format("%s %s?%s  y/n", verb, names, note));
}

void update_ask_args(struct ui_model *m, char *args, bool page, const char *question)
{
    free(m->asked_args);
    m->asked_args = args;
    m->asked_page = page;
    ask(m, UI_INTENT_DO, str_format("%s  y/n", question));
}

static void confirmed(struct ui_model *m)
{
    if (m->asked != UI_INTENT_DO) {
        for (char **id = m->asked_ids; id && *id; id++)
            ui_intend(m, m->asked, *id, NULL, 0);
        return;
    }
    if (m->asked_page) {
        autofree char *title = str_dup(m->asked_args);
        for (char *c = title; *c; c++)
            *c = *c == UI_ARG_END ? ' ' : *c;
        ui_model_text_begin(m, title);
        ui_intend(m, UI_INTENT_PAGE, title, m->asked_args, strlen(m->asked_args));
    } else {
        ui_intend(m, UI_INTENT_DO, NULL, m->asked_args, strlen(m->asked_args));
    }
}

void update_confirm_key(struct ui_model *m, uint32_t key)
{
    bool yes = key == 'y' || key == 'Y';
    if (!yes && key != 'n' && key != 'N' && key != UI_KEY_ESC && key != 'q')
        return;
    m->dialog = UI_DIALOG_NONE;
    if (yes)
        confirmed(m);
}
