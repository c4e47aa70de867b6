#include "ui/update_inner.h"

static void ask(struct ui_model *m, enum ui_intent_kind kind, char *question)
{
    free(m->question);
    m->question = question;
    m->asked = kind;
    m->asked_left = m->pressed_left;
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
    ask(m, kind, str_format("%s %s?%s", verb, names, note));
}

void update_ask_about(struct ui_model *m, enum ui_intent_kind kind, char **ids,
                      const char *question)
{
    strv_free(m->asked_ids);
    m->asked_ids = ids;
    ask(m, kind, str_dup(question));
}

void update_ask_all(struct ui_model *m, char **args, bool page, const char *question)
{
    strv_free(m->asked_args);
    m->asked_args = args;
    m->asked_page = page;
    ask(m, UI_INTENT_DO, str_dup(question));
}

void update_ask_args(struct ui_model *m, char *args, bool page, const char *question)
{
    char **all = NULL;
    strv_take(&all, args);
    update_ask_all(m, all, page, question);
}

static void page_of(struct ui_model *m, const char *args)
{
    autofree char *title = str_dup(args);
    for (char *c = title; *c; c++)
        *c = *c == UI_ARG_END ? ' ' : *c;
    ui_model_text_begin(m, title);
    ui_intend(m, UI_INTENT_PAGE, title, args, strlen(args));
}

static void confirmed(struct ui_model *m)
{
    if (m->asked != UI_INTENT_DO) {
        for (char **id = m->asked_ids; id && *id; id++) {
            if (m->asked != UI_INTENT_GIVE_UP || update_task_given_up(m, *id))
                ui_intend(m, m->asked, *id, NULL, 0);
        }
        return;
    }
    for (char **args = m->asked_args; args && *args; args++)
        if (m->asked_page)
            page_of(m, *args);
        else
            ui_intend(m, UI_INTENT_DO, NULL, *args, strlen(*args));
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
